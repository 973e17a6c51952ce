"""Between Hydra's sweeper and its launcher: what is finished is not launched again."""

import os
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from hydra.core.utils import JobReturn, JobStatus

from giftune.cli._cell_job import CellJob
from giftune.cli._objective import objective
from giftune.cli._overview import Progress
from giftune.cli.cell import Cell, CellFolder, Outcome
from giftune.cli.sweep_folder import SweepFolder

Overrides = Sequence[str]


def at_once(launcher: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """How many cells a launcher gets together (None: all), and the threads of each (None: as they come)."""
    cores = _cores()
    match str(launcher["_target_"]).rpartition(".")[2]:
        case "BasicLauncher":
            return 1, None
        case "JoblibLauncher":
            jobs = launcher["n_jobs"]
            return None, max(1, cores // (jobs if jobs > 0 else max(1, cores + 1 + jobs)))
        case "LocalLauncher":  # it has no queue of its own
            threads = launcher["cpus_per_task"] or 1
            return max(1, cores // threads), threads
        case "SlurmLauncher":
            return None, launcher["cpus_per_task"] or 1
        case "RayLauncher":
            return None, max(1, int(launcher["ray"]["remote"].get("num_cpus", 1)))
    return None, None


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(launcher: Mapping[str, Any]) -> int | None:
    """How many cells run at the same time, where that is known."""
    together, threads = at_once(launcher)
    if str(launcher["_target_"]).endswith("JoblibLauncher"):
        return _cores() // (threads or 1)
    return together


@dataclass
class Cells:
    """Takes the place of `launcher` in a sweeper; `swept` are the settings that name a cell."""

    launcher: Any
    job: CellJob
    sweep: SweepFolder
    swept: Sequence[str]
    batch_size: int | None
    progress: Progress
    objective: Mapping[str, float] | None
    wanted: Collection[str] = ("missing", "failed")  # the states of cells that are to be run
    planned: list[Cell] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)  # that could not be written into their folders

    def launch(self, job_overrides: Sequence[Overrides], initial_job_idx: int) -> list[JobReturn]:
        jobs = {initial_job_idx + i: overrides for i, overrides in enumerate(job_overrides)}
        cells = {number: self._cell(overrides) for number, overrides in jobs.items()}
        self.planned += [cell for cell in cells.values() if cell not in self.planned]
        self.sweep.record(self.planned)
        todo = [number for number, cell in cells.items() if self.outcome(cell).state in self.wanted]
        self.progress.done += len(cells) - len(todo)
        self.progress.total = max(self.progress.total, len(self.planned))
        for batch in _batches(todo, self.batch_size):
            together = [cells[number] for number in batch]
            with self.progress.during(together, partial(self._finished, together)):
                while batch:
                    batch = self._launch(batch, cells, jobs)
            self.sweep.record(self.planned)
        return [self._returned(cell, jobs[number]) for number, cell in cells.items()]

    def outcome(self, cell: Cell) -> Outcome:
        """From the folder; what could not be written there is remembered."""
        found = CellFolder(self.sweep.path, cell).outcome()
        return Outcome(reason=self.reasons.get(cell.folder)) if found.state == "missing" else found

    def _cell(self, overrides: Overrides) -> Cell:
        values = {key: value for key, _, value in (override.partition("=") for override in overrides)}
        return Cell({key.lstrip("+"): values[key] for key in self.swept if key in values})

    def _finished(self, cells: Sequence[Cell]) -> int:
        return sum(self.outcome(cell).state == "done" for cell in cells)

    def _launch(
        self, batch: Sequence[int], cells: Mapping[int, Cell], jobs: Mapping[int, Overrides]
    ) -> list[int]:
        """Returns what has not begun, after a worker died and took the others of its launcher along."""
        self.job.cells = {batch[0] + i: cells[number] for i, number in enumerate(batch)}
        started = time.time()
        try:
            returns = self.launcher.launch([list(jobs[number]) for number in batch], initial_job_idx=batch[0])
        except Exception as error:  # of the launcher: cells keep theirs to themselves
            reason = f"its process ended: {type(error).__name__}: {' '.join(str(error).split())[:300]}"
            begun = {number for number in batch if self._begun(cells[number], started, reason)}
            if not begun:  # then the launcher itself does not work
                self.reasons |= {cells[number].folder: reason for number in batch}
            return [number for number in batch if begun and number not in begun]
        for number, returned in zip(batch, returns, strict=True):
            if (reason := returned.return_value.reason) is not None:
                self.reasons[cells[number].folder] = reason
        return []

    def _begun(self, cell: Cell, since: float, reason: str) -> bool:
        """Whether a cell was at work when its launcher failed; one that is left unfinished failed with it."""
        folder = CellFolder(self.sweep.path, cell)
        description = folder.path / "cell.json"
        if not description.exists() or description.stat().st_mtime < since - 1:
            return False
        with folder.locked():
            if folder.outcome().state == "missing":
                folder.fail(reason)
        return True

    def _returned(self, cell: Cell, overrides: Overrides) -> JobReturn:
        """What a search wants to know: the objective, or None, which it takes for a failure."""
        value = None
        if self.objective and self.outcome(cell).state == "done":
            value = objective(self.sweep.path / cell.folder, self.objective)
        return JobReturn(overrides=overrides, status=JobStatus.COMPLETED, _return_value=value)


def _batches(numbers: list[int], size: int | None) -> Iterator[list[int]]:
    size = size or max(1, len(numbers))
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
