"""What a benchmark found, by method, type of edit and clip, with intervals over clips, and what it took."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import NamedTuple

from giftune.report.bootstrap import Bootstrap, Estimate
from giftune.report.comparison import CLOCK, Comparison, Metric
from giftune.report.results import Edit, Failure, Results, Stage
from giftune.report.statistics import Place

ALL = "all"
TYPES = ("object", "background", "style", "multiple")  # in this order, others after them
STAGES = ("tuning", "inverting", "sampling", "writing", "scoring")  # in this order, others after them


class Number(NamedTuple):
    """The mean over edits, and that of the differences to the reference on the edits that both have."""

    value: Estimate
    difference: Estimate | None


class Cost(NamedTuple):
    """Medians over the cells of a method; `memory_mb` is that of each cell's highest peak."""

    cells: int
    seconds: Mapping[str, float]  # by stage
    memory_mb: float | None


class ClipMean(NamedTuple):
    """The mean over the edits of one clip."""

    value: float
    edits: int


@dataclass(frozen=True)
class Benchmark:
    """Numbers by group of edits ("all", or a type), arm and metric; an arm without a value has none."""

    arms: tuple[str, ...]  # the reference first
    metrics: tuple[Metric, ...]
    groups: tuple[str, ...]
    clips: tuple[str, ...]
    numbers: Mapping[tuple[str, str, str], Number]
    by_clip: Mapping[tuple[str, str, str], ClipMean]  # by clip, arm and metric
    edits: Mapping[tuple[str, str], int]  # by group and arm
    absent: Mapping[str, int]  # by arm: edits that another arm has
    costs: Mapping[str, Cost]  # by arm
    failures: tuple[Failure, ...]


def benchmark(results: Results, comparison: Comparison, bootstrap: Bootstrap) -> Benchmark:
    """The arms and metrics of a comparison, times left out."""
    metrics = tuple(metric for metric in comparison.metrics if metric.backbone != CLOCK)
    groups = _groups(results.edits)
    values = _values(results.edits)
    numbers: dict[tuple[str, str, str], Number] = {}
    for group, members in groups.items():
        for metric in metrics:
            reference = _within(values[comparison.reference, metric.name], members)
            for arm in comparison.arms:
                own = _within(values[arm, metric.name], members)
                if (value := bootstrap.mean(_by_clip(own))) is None:
                    continue
                shared = {place: own[place] - reference[place] for place in own if place in reference}
                apart = bootstrap.mean(_by_clip(shared)) if arm != comparison.reference else None
                numbers[group, arm, metric.name] = Number(value, apart)
    places = {arm: {_place(edit) for edit in results.edits if edit.arm == arm} for arm in comparison.arms}
    return Benchmark(
        arms=comparison.arms,
        metrics=metrics,
        groups=tuple(groups),
        clips=tuple(sorted({edit.clip for edit in results.edits})),
        numbers=numbers,
        by_clip={
            (clip, arm, metric.name): ClipMean(sum(found) / len(found), len(found))
            for arm in comparison.arms
            for metric in metrics
            for clip, found in _by_clip(values[arm, metric.name]).items()
        },
        edits={
            (group, arm): len(places[arm] & members) for group, members in groups.items() for arm in places
        },
        absent={arm: len(groups[ALL] - found) for arm, found in places.items()},
        costs={arm: cost for arm in comparison.arms if (cost := _cost(results, arm)) is not None},
        failures=results.failures,
    )


def _place(edit: Edit) -> Place:
    return edit.clip, edit.seed, edit.prompt


def _groups(edits: Sequence[Edit]) -> dict[str, set[Place]]:
    """All edits, then those of each type; one type alone is no group of its own."""
    groups: dict[str, set[Place]] = defaultdict(set)
    for edit in edits:
        if edit.type is not None and edit.type != ALL:
            groups[edit.type].add(_place(edit))
    rank = {name: index for index, name in enumerate(TYPES)}
    ordered = sorted(groups, key=lambda name: (rank.get(name, len(rank)), name))
    everything = {_place(edit) for edit in edits}
    return {ALL: everything, **({name: groups[name] for name in ordered} if len(groups) > 1 else {})}


def _values(edits: Sequence[Edit]) -> dict[tuple[str, str], dict[Place, float]]:
    values: dict[tuple[str, str], dict[Place, float]] = defaultdict(dict)
    for edit in edits:
        for name, score in edit.scores.items():
            values[edit.arm, name][_place(edit)] = score.value
    return values


def _within(values: Mapping[Place, float], members: set[Place]) -> dict[Place, float]:
    return {place: value for place, value in values.items() if place in members}


def _by_clip(values: Mapping[Place, float]) -> dict[str, list[float]]:
    clips: dict[str, list[float]] = defaultdict(list)
    for (clip, _, _), value in values.items():
        clips[clip].append(value)
    return clips


def _cost(results: Results, arm: str) -> Cost | None:
    cells = [run.stages for run in results.runs_of(arm) if run.stages]
    if not cells:
        return None
    names = dict.fromkeys((*STAGES, *(name for cell in cells for name in cell)))
    seconds = {name: found for name in names if (found := _seconds(cells, name))}
    peaks = [max(used) for cell in cells if (used := [s.memory_mb for s in cell.values() if s.memory_mb])]
    return Cost(
        cells=len(cells),
        seconds={name: median(found) for name, found in seconds.items()},
        memory_mb=median(peaks) if peaks else None,
    )


def _seconds(cells: Sequence[Mapping[str, Stage]], name: str) -> list[float]:
    found = [cell[name].seconds for cell in cells if name in cell]
    return [seconds for seconds in found if seconds is not None]
