"""Progress bars with the time left, only on a terminal."""

import sys
from types import TracebackType
from typing import Any

from giftune.methods.base import OnProgress


class Bars:
    """One bar for each stage, from its first report on; draws nothing when stderr is no terminal.

    `also` is told everything too.
    """

    def __init__(self, also: OnProgress | None = None) -> None:
        self._also = also

    def __enter__(self) -> "Bars":
        self._stages: dict[str, Any] = {}
        self._bars = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            columns = (
                TextColumn("{task.description:10}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
            )
            self._bars = Progress(*columns, console=Console(stderr=True))
            self._bars.start()
        return self

    def __call__(self, stage: str, done: int, total: int) -> None:
        if self._also is not None:
            self._also(stage, done, total)
        if self._bars is None:
            return
        if stage not in self._stages:
            self._stages[stage] = self._bars.add_task(stage, total=total, completed=done - 1)
        self._bars.update(self._stages[stage], completed=done, total=total)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars is not None:
            self._bars.stop()
