"""Where a run comes from: code, libraries, hardware."""

import os
import platform
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from giftune.cli._run import ROOT

PACKAGES = (
    "giftune",
    "torch",
    "diffusers",
    "transformers",
    "pytorch-lightning",
    "hydra-core",
    "numpy",
    "pillow",
)


def provenance(root: Path = ROOT) -> dict[str, Any]:
    """Commit and dirty flag are null outside a git checkout."""
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "commit": _git(root, "rev-parse", "HEAD"),
        "dirty": None if (changed := _git(root, "status", "--porcelain")) is None else bool(changed),
        "packages": {name: _version(name) for name in PACKAGES},
        "python": platform.python_version(),
        "hardware": _hardware(),
    }


def _git(root: Path, *arguments: str) -> str | None:
    # only a repository of our own: a wheel may be installed somewhere inside another one
    if not (root / ".git").exists():
        return None
    try:
        command = ["git", "-C", str(root), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _hardware() -> dict[str, Any]:
    import torch

    return {
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpus": [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())],
    }
