"""The import hook that set-up writes, with toy packages in the place of torch and torchvision."""

import subprocess
import sys
from pathlib import Path

HOOK = Path(__file__).parents[1] / ".ci" / "torchvision_cpu.py"
TORCH = """
class library:
    class Library:
        schemas = []
        def __init__(self, namespace, kind): assert (namespace, kind) == ("torchvision", "FRAGMENT")
        def define(self, schema): self.schemas.append(schema.split("(")[0])
"""
TORCHVISION = """
import torch
if torch.library.Library.schemas != ["nms", "qnms"]:
    raise RuntimeError("operator torchvision::nms does not exist")
"""
SPAWN = """
import multiprocessing, sys
def work():
    assert "torch" not in sys.modules
    import torchvision
if __name__ == "__main__":
    worker = multiprocessing.get_context("spawn").Process(target=work)
    worker.start()
    worker.join()
    sys.exit(worker.exitcode)
"""


def environment(folder: Path, repaired: bool) -> Path:
    """A virtual environment without pip, holding the two toy packages."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name, text in {"torch": TORCH, "torchvision": TORCHVISION}.items():
        (packages / name).mkdir()
        (packages / name / "__init__.py").write_text(text)
    if repaired:
        (packages / "_torchvision_cpu.py").write_text(HOOK.read_text())
        (packages / "_torchvision_cpu.pth").write_text("import _torchvision_cpu\n")
    (folder / "spawn.py").write_text(SPAWN)
    return folder


def test_spawned_workers_import_torchvision_only_when_repaired(tmp_path: Path) -> None:
    codes = []
    for repaired in (False, True):
        folder = environment(tmp_path / str(repaired), repaired)
        command = [folder / "bin" / "python", folder / "spawn.py"]
        codes.append(subprocess.run(command, capture_output=True).returncode)
    assert codes == [1, 0]
