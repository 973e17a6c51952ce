"""One cell of a sweep: its name, its folder, and what became of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from giftune.io.atomic import write_json
from giftune.io.names import slug


@dataclass(frozen=True)
class Cell:
    """`choices` is what the sweep varies, in order: setting to value, as on a command line."""

    choices: Mapping[str, str]

    @property
    def name(self) -> str:
        return ",".join(f"{key}={value}" for key, value in self.choices.items())

    @property
    def folder(self) -> str:
        return slug(self.name, 100)


@dataclass(frozen=True)
class Outcome:
    """`seconds` is known of a finished cell, `reason` of one that failed; of neither when it is missing."""

    seconds: float | None = None
    reason: str | None = None

    @property
    def state(self) -> str:
        return "done" if self.seconds is not None else "missing" if self.reason is None else "failed"


@dataclass(frozen=True)
class CellFolder:
    """The run folder of a cell in its sweep's folder; its `cell.json` has `seconds` when all is finished."""

    sweep: Path
    cell: Cell

    @property
    def path(self) -> Path:
        return self.sweep / self.cell.folder

    def outcome(self) -> Outcome:
        seconds = _read(self.path / "cell.json").get("seconds")
        reason = _read(self.path / "failure.json").get("reason")
        return Outcome(seconds) if seconds is not None else Outcome(reason=reason)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Wait for any other process at work on this cell; the system frees the lock of a killed one."""
        locks = self.sweep / ".locks"
        locks.mkdir(parents=True, exist_ok=True)
        with FileLock(locks / self.cell.folder):
            yield

    def begin(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        (self.path / "failure.json").unlink(missing_ok=True)
        self._describe()

    def finish(self, seconds: float) -> None:
        self._describe(seconds=round(seconds, 2))

    def fail(self, reason: str, traceback: str | None = None) -> None:
        """`traceback` only for faults of the program."""
        self.path.mkdir(parents=True, exist_ok=True)
        more = {} if traceback is None else {"traceback": traceback}
        write_json(self.path / "failure.json", {"reason": reason, **more})

    def _describe(self, **more: Any) -> None:
        facts = {"sweep": self.sweep.name, "name": self.cell.name, "choices": dict(self.cell.choices)}
        write_json(self.path / "cell.json", facts | more)


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}
