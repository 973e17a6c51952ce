"""Make `import torchvision` work in this Python's environment when its compiled operators cannot be loaded.

Run by `make` after every installation, with the environment's own Python. It writes two files into
site-packages: the import hook of torchvision_cpu.py beside this script, and a .pth line that starts it
in every process, spawned workers included. Where the compiled operators load, it removes them again.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
HOOK = SITE_PACKAGES / "_torchvision_cpu.py"
START = SITE_PACKAGES / "_torchvision_cpu.pth"

BROKEN = 3
# Run with -S, so that a hook written earlier is not started and cannot hide the fault.
PROBE = f"""
import sys
sys.path[:0] = sys.argv[1:]
import torch
try:
    from torchvision.extension import _has_ops
    sys.exit(0 if _has_ops() else {BROKEN})
except RuntimeError as error:
    sys.exit({BROKEN} if "torchvision::nms" in str(error) else str(error))
"""


def operators_load() -> bool:
    paths = dict.fromkeys((str(SITE_PACKAGES), sysconfig.get_path("platlib")))
    result = subprocess.run([sys.executable, "-S", "-c", PROBE, *paths], capture_output=True, text=True)
    if result.returncode not in (0, BROKEN):
        sys.exit(f"torch and torchvision cannot be imported:\n{result.stderr}")
    return result.returncode == 0


def write(target: Path, text: str) -> None:
    if target.exists() and target.read_text() == text:
        return
    staged = target.with_name(f"{target.name}.{os.getpid()}.new")
    staged.write_text(text)
    staged.replace(target)


def main() -> None:
    if operators_load():
        START.unlink(missing_ok=True)
        HOOK.unlink(missing_ok=True)
        print("torchvision: compiled operators load, nothing to repair")
        return
    write(HOOK, Path(__file__).with_name("torchvision_cpu.py").read_text())
    write(START, f"import {HOOK.stem}\n")
    subprocess.run([sys.executable, "-c", "import torchvision.transforms.v2"], check=True)
    print("torchvision: its compiled operators do not load beside this torch; its import was repaired")


if __name__ == "__main__":
    main()
