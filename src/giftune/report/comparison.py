"""All arms against all metrics: the table behind every form in which it is written."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from giftune.errors import InputError
from giftune.report.results import Edit, Results, Score
from giftune.report.statistics import Interval, Place, over_units, paired

REFERENCE = "full"
CLOCK = "clock"  # the backbone of times, which depend on the machine: none is better or best
Verdict = Literal["better", "worse", ""]


class Metric(NamedTuple):
    """A column, and with how many decimals its numbers are shown."""

    name: str
    unit: str
    higher_is_better: bool
    backbone: str
    decimals: int


class Cell(NamedTuple):
    """What one arm scores, and how it differs from the reference on the clips and seeds of both."""

    value: Interval
    difference: Interval | None
    verdict: Verdict
    best: bool


@dataclass(frozen=True)
class Comparison:
    """Cells by arm and metric; an arm that was not measured has none."""

    arms: tuple[str, ...]  # the reference first
    metrics: tuple[Metric, ...]
    cells: Mapping[tuple[str, str], Cell]
    reference: str
    skipped: Mapping[str, str]  # metrics that no edit has, with the reason

    def units(self) -> tuple[int, int]:
        """The least and the most clips x seeds behind a number."""
        counts = [cell.value.n for cell in self.cells.values()]
        return min(counts, default=0), max(counts, default=0)


def compare(
    results: Results, reference: str | None = None, metrics: Sequence[str] | None = None
) -> Comparison:
    """Compare with `reference` (default: the arm `full`, else the first), on `metrics` (default: all).

    Raises `InputError` for a reference or a metric that is not there.
    """
    arms = _arms(results, reference)
    values: dict[str, dict[str, dict[Place, float]]] = defaultdict(lambda: defaultdict(dict))
    kinds: dict[str, Score] = {}
    for edit in results.edits:
        for name, score in (*edit.scores.items(), *_times(edit).items()):
            kinds.setdefault(name, score)
            values[name][edit.arm][edit.clip, edit.seed, edit.prompt] = score.value
    for name in metrics or ():
        if name not in kinds:
            raise InputError(f"metric {name} was not measured; measured are: {', '.join(kinds) or 'none'}.")
    columns: list[Metric] = []
    cells: dict[tuple[str, str], Cell] = {}
    for name in metrics or kinds:
        column = _column(values[name], arms, kinds[name])
        cells |= {(arm, name): cell for arm, cell in column.items()}
        columns.append(Metric(name, *kinds[name][1:], _decimals([cell.value for cell in column.values()])))
    skipped = {
        name: reason
        for edit in results.edits
        for name, reason in edit.skipped.items()
        if name not in kinds and (metrics is None or name in metrics)
    }
    return Comparison(arms, tuple(columns), cells, arms[0] if arms else "", skipped)


def _arms(results: Results, reference: str | None) -> tuple[str, ...]:
    arms = results.arms
    if reference is not None and reference not in arms:
        raise InputError(f"reference {reference!r} is not an arm; arms are: {', '.join(arms)}.")
    first = reference or (REFERENCE if REFERENCE in arms else None)
    return tuple(sorted(arms, key=lambda arm: arm != first)) if first else tuple(arms)


def _times(edit: Edit) -> dict[str, Score]:
    """How long things took, as columns of their own."""
    known = {"tuning_seconds": edit.run.tuning_seconds, "edit_seconds": edit.seconds}
    return {name: Score(value, "s", False, CLOCK) for name, value in known.items() if value is not None}


def _column(values: Mapping[str, Mapping[Place, float]], arms: Sequence[str], kind: Score) -> dict[str, Cell]:
    means = {arm: mean for arm in arms if (mean := over_units(values.get(arm, {})))}
    extremes = [pick(mean.mean for mean in means.values()) for pick in (min, max)]
    best = None if extremes[0] == extremes[1] else extremes[kind.higher_is_better]
    column = {}
    for arm, mean in means.items():
        difference = paired(values[arm], values.get(arms[0], {})) if arm != arms[0] else None
        verdict: Verdict = ""
        if difference is not None and difference.excludes_zero and kind.backbone != CLOCK:
            verdict = "better" if (difference.mean > 0) == kind.higher_is_better else "worse"
        column[arm] = Cell(mean, difference, verdict, mean.mean == best and kind.backbone != CLOCK)
    return column


def _decimals(means: Sequence[Interval]) -> int:
    """Two digits of the narrowest interval, or four of the largest value where there is none; 4 at most."""
    halves = [mean.half for mean in means if mean.half]
    largest = max(abs(mean.mean) for mean in means)
    if not halves and largest == 0:
        return 2
    digits = 1 - math.floor(math.log10(min(halves))) if halves else 3 - math.floor(math.log10(largest))
    return min(max(digits, 0), 4)
