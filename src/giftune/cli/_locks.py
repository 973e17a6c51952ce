"""One process at a time, by locks of the operating system: a killed process holds none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


@contextmanager
def held(path: Path, by: str) -> Iterator[None]:
    """Hold the lock file; where another process has it, say that we wait for one `by` ..., and wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"waiting for another process {by}", flush=True)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
