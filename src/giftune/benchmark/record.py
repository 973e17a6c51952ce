"""The record file of a benchmark: one JSON line for each result, appended by any number of processes."""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

Line = dict[str, Any]


@dataclass(frozen=True)
class RecordFile:
    """Append-only: nothing that is written once is touched again, and of two lines alike the later counts.

    A process that is killed while it writes leaves half a line at worst, which readers skip, and the next
    line begins on one of its own.
    """

    path: Path

    def append(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Write the lines, all or none of them seen by others, and wait for the disk."""
        text = "".join(f"{json.dumps(line, ensure_ascii=False, allow_nan=False)}\n" for line in lines)
        if not text:
            return
        with FileLock(self.path.with_name(f".{self.path.name}.lock")), self.path.open("ab+") as file:
            if file.tell() and not self._ends_a_line():
                text = f"\n{text}"
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def lines(self) -> Iterator[Line]:
        """Those that are whole, in the order of writing."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            for raw in file:
                try:
                    line = json.loads(raw)
                except ValueError:
                    continue
                if isinstance(line, dict):
                    yield line

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
