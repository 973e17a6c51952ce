"""The folder of a sweep: whose it is, who works in it, and what has become of its cells."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from giftune.cli.cell import Cell, CellFolder, Outcome
from giftune.errors import InputError
from giftune.io.atomic import write_json


@dataclass(frozen=True)
class SweepFolder:
    """`config` is what all cells start from, by dotted name, without what the sweep varies."""

    path: Path
    config: Mapping[str, Any]

    def require(self) -> None:
        """Raise `InputError` if the folder holds something else; writes nothing."""
        if self.path.exists() and not self.path.is_dir():
            raise InputError(f"sweep folder {self.path} is a file; choose another sweep_name=.")
        if not self.path.exists() or all(file.name.startswith(".") for file in self.path.iterdir()):
            return
        before = self._record().get("config")
        if before is None:
            raise InputError(f"sweep folder {self.path} holds other files; choose another sweep_name=.")
        now = json.loads(json.dumps(dict(self.config)))
        names = [name for name in dict.fromkeys((*now, *before)) if before.get(name) != now.get(name)]
        if names:
            shown = [f"{name} is {_said(before, name)}, here {_said(now, name)}" for name in names[:2]]
            shown += [f"{len(names) - 2} more settings differ"] if len(names) > 2 else []
            raise InputError(
                f"sweep folder {self.path} belongs to another configuration: its {'; '.join(shown)}; "
                "choose another sweep_name=."
            )

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Raises `InputError` while another sweep is at work here; a killed one does not count."""
        lock = FileLock(self.path / ".locks" / "sweep")
        try:
            (self.path / ".locks").mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=0)
        except Timeout as error:
            raise InputError(
                f"sweep folder {self.path} is in use: another sweep is running there; wait for it to end."
            ) from error
        except OSError as error:
            raise InputError(f"sweep folder {self.path} cannot be written: {error.strerror}.") from error
        try:
            yield
        finally:
            lock.release()

    def outcomes(self, cells: Sequence[Cell]) -> list[Outcome]:
        return [CellFolder(self.path, cell).outcome() for cell in cells]

    def record(self, cells: Sequence[Cell]) -> None:
        """Write `sweep.json`: these cells in their order, then those of earlier commands."""
        known = {cell.folder for cell in cells}
        earlier = [
            Cell(old["choices"]) for old in self._record().get("cells", ()) if old["folder"] not in known
        ]
        everything = [*cells, *earlier]
        lines = [
            {
                "name": cell.name,
                "folder": cell.folder,
                "choices": dict(cell.choices),
                "state": outcome.state,
                "reason": outcome.reason,
            }
            for cell, outcome in zip(everything, self.outcomes(everything), strict=True)
        ]
        record = {"sweep": self.path.name, "config": dict(self.config), "cells": lines}
        write_json(self.path / "sweep.json", record)

    def _record(self) -> dict[str, Any]:
        try:
            return json.loads((self.path / "sweep.json").read_text())
        except (OSError, ValueError):
            return {}


def _said(config: Mapping[str, Any], name: str) -> str:
    return repr(config[name]) if name in config else "not set"
