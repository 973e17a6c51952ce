"""The most memory that was in use at once: of the GPU where there is one, else of the process."""

import sys
from pathlib import Path

import psutil
import torch

from giftune.unet.free_memory import free_memory

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
MB = 1e6


def peak() -> float:
    """MB since the last call; of a process outside of Linux since its start."""
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        found = torch.cuda.max_memory_allocated() / MB
        torch.cuda.reset_peak_memory_stats()
        return found
    try:
        line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
        _CLEAR.write_text("5")  # the kernel counts anew from here
        return int(line.split()[1]) * 1024 / MB
    except (OSError, StopIteration):
        return _since_start()


def limit() -> float:
    """MB that this process can have: of the GPU where there is one, else of the machine."""
    if torch.cuda.is_available():
        return (free_memory(torch.device("cuda")) + torch.cuda.memory_allocated()) / MB
    return (free_memory(torch.device("cpu")) + psutil.Process().memory_info().rss) / MB


def _since_start() -> float:
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MB
