"""A benchmark is a sweep over seeds, clips and methods that writes all results into one file besides."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import TYPE_CHECKING, Any

from giftune.cli._benchmark_plan import Plan, read_plan
from giftune.cli._benchmark_results import NAME, keep_up
from giftune.cli._errors import explain
from giftune.cli._estimate_shown import show_total
from giftune.cli._multirun import Compose, Watch, run_sweep
from giftune.cli._run import options, plain
from giftune.cli._tables import columns, print_table
from giftune.cli.cell import Cell, CellFolder, Outcome
from giftune.cli.sweep_folder import SweepFolder

if TYPE_CHECKING:
    from omegaconf import DictConfig


def run_benchmark(settings: Sequence[str], job: Callable[["DictConfig"], None]) -> int:
    options(settings)
    plan = read_plan(settings)
    return run_sweep("benchmark", plan.overrides, job, BenchmarkWatch(plan))


def record(benchmark: Path, cell: Cell) -> None:
    keep_up(benchmark, [cell])


class BenchmarkWatch(Watch):
    """Keeps the record file up with the cells, also with those of a command that was killed."""

    ended = staticmethod(record)

    def __init__(self, plan: Plan) -> None:
        self.plan, self.naming = plan, tuple(plan.choices)

    def begin(self, sweep: SweepFolder, launcher: Mapping[str, Any], compose: Compose) -> bool:
        keep_up(sweep.path, self.plan.cells)
        if self.plan.estimated or self.plan.dry:
            _estimate(self.plan, sweep.path, launcher, compose)
        if not self.plan.dry:
            print(f"{len(self.plan.cells)} cells, some seconds for each ten of them to read their settings")
        return not self.plan.dry

    def end(self, sweep: SweepFolder, cells: Sequence[Cell], outcomes: Sequence[Outcome]) -> None:
        keep_up(sweep.path, cells)
        of_methods = defaultdict(list)
        for cell, outcome in zip(cells, outcomes, strict=True):
            of_methods[cell.choices["method"]].append(outcome)
        table = columns("method", "done", "failed", "missing", "minutes")
        for method, found in of_methods.items():
            states = Counter(outcome.state for outcome in found)
            minutes = sum(outcome.seconds or 0.0 for outcome in found) / 60
            counts = (str(states[state]) for state in ("done", "failed", "missing"))
            table.add_row(method, *counts, f"{minutes:.1f}")
        print_table(table)
        for cell, outcome in zip(cells, outcomes, strict=True):
            if outcome.state == "failed":
                print(f"failed {cell.name}: {outcome.reason}")
        if any(outcome.state == "failed" for outcome in outcomes):
            print("retry=true runs again what failed")
        print(f"results in {sweep.path / NAME}; giftune report {sweep.path} makes the tables")


def _estimate(plan: Plan, benchmark: Path, launcher: Mapping[str, Any], compose: Compose) -> None:
    """By method: from its cells that are finished, or from one with few steps."""
    from giftune.cli._launching import side_by_side

    todo: dict[str, list[Cell]] = defaultdict(list)
    known: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for cell in plan.cells:
        outcome = CellFolder(benchmark, cell).outcome()
        if outcome.seconds is None:
            todo[cell.choices["method"]].append(cell)
        else:
            known[cell.choices["method"]].append((outcome.seconds, _size(benchmark / cell.folder)))
    table = columns("method", "cells", "seconds each", "MB each", "from")
    seconds = disk = 0.0
    for method, cells in todo.items():
        if method in known:
            each, size, origin = *map(mean, zip(*known[method], strict=True)), "finished cells"
        else:
            try:
                each, size = _trial(compose, plan, cells[0], launcher)
            except Exception as error:
                print(f"note: no estimate for {method}: {(explain(error) or (repr(error), 1))[0]}")
                continue
            origin = "a trial"
        seconds, disk = seconds + each * len(cells), disk + size * len(cells)
        table.add_row(method, str(len(cells)), f"{each:.0f}", f"{size:.1f}", origin)
    if not todo:
        return
    print_table(table)
    together = side_by_side(launcher)
    show_total(seconds, disk, together)


def _trial(compose: Compose, plan: Plan, cell: Cell, launcher: Mapping[str, Any]) -> tuple[float, float]:
    """Seconds and MB of a cell."""
    import torch
    from hydra.core.hydra_config import HydraConfig
    from omegaconf import open_dict

    from giftune.cli._estimate import estimate
    from giftune.cli._launching import at_once

    config = compose([*plan.settings, *(f"{key}={value}" for key, value in cell.choices.items())])
    HydraConfig.instance().set_config(config)
    with open_dict(config):
        del config["hydra"]
    before, (_, threads) = torch.get_num_threads(), at_once(launcher)
    torch.set_num_threads(threads or before)
    try:
        found = estimate(plain(config))
    finally:
        torch.set_num_threads(before)
    return found.total_seconds, found.disk_mb


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
