"""What a sweep says while it runs, on a terminal, and at its end."""

import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from giftune.cli.cell import Cell, Outcome

POLL_SECONDS = 1.0


@dataclass
class Progress:
    """Says which cell is next and how long the rest will take; silent where stderr is no terminal."""

    total: int
    done: int = 0  # of the total, finished by earlier commands included
    here: int = 0  # of those, by this command
    started: float = field(default_factory=time.perf_counter)

    @contextmanager
    def during(self, cells: Sequence[Cell], finished: Callable[[], int]) -> Iterator[None]:
        """While these cells run; `finished()` says how many of them have ended well."""
        ended = threading.Event()
        if len(cells) == 1:
            self._say(f"cell {self.done + 1}/{self.total}  {cells[0].name}{self.left()}")
        elif sys.stderr.isatty():
            threading.Thread(target=self._watch, args=(finished, ended), daemon=True).start()
        try:
            yield
        finally:
            ended.set()
            self.done, self.here = self.done + len(cells), self.here + len(cells)

    def _watch(self, finished: Callable[[], int], ended: threading.Event) -> None:
        seen = finished()
        while not ended.wait(POLL_SECONDS):
            if (now := finished()) > seen:
                seen = now
                self._say(f"{self.done + now}/{self.total} cells finished{self.left(now)}")

    def _say(self, line: str) -> None:
        if sys.stderr.isatty():
            print(line, file=sys.stderr, flush=True)

    def left(self, more: int = 0) -> str:
        """The time for the rest at the pace so far, `more` cells having ended since; none before one has."""
        done, here = self.done + more, self.here + more
        if not here or done >= self.total:
            return ""
        seconds = (time.perf_counter() - self.started) / here * (self.total - done)
        return f", about {seconds / 60:.0f} min left" if seconds >= 90 else f", about {seconds:.0f} s left"


def show(path: Path, cells: Sequence[Cell], outcomes: Sequence[Outcome]) -> None:
    """A table of all cells, one line for each that failed, and where they are."""
    settings = list(dict.fromkeys(key for cell in cells for key in cell.choices))
    table = Table(box=SIMPLE)
    for column in settings:
        table.add_column(column, no_wrap=True)
    table.add_column("state")
    table.add_column("minutes", justify="right")
    for cell, outcome in zip(cells, outcomes, strict=True):
        minutes = "" if outcome.seconds is None else f"{outcome.seconds / 60:.1f}"
        table.add_row(*(cell.choices.get(key, "") for key in settings), outcome.state, minutes)
    # rich knows no width but 80 where there is no terminal
    Console(width=None if sys.stdout.isatty() else 160, highlight=False, markup=False).print(table)
    count = sum(outcome.state == "done" for outcome in outcomes)
    print(f"{count} of {len(cells)} cells are finished, in {path}", flush=True)
    for cell, outcome in zip(cells, outcomes, strict=True):
        if outcome.state != "done":
            print(f"{outcome.state} {cell.name}: {outcome.reason or 'it has not run'}", file=sys.stderr)
