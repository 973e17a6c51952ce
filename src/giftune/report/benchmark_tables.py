"""A benchmark as small tables for people and as lines for programs."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from giftune.report.benchmark import ALL, Benchmark
from giftune.report.bootstrap import few
from giftune.report.comparison import Metric
from giftune.report.listing import Listing
from giftune.report.paper_table import COLUMNS, NOTHING, base, estimate, paper_tables
from giftune.report.table import MARKS, arrow

BY_CLIP = (*COLUMNS, "trajectory_error")  # what is listed clip by clip
COLUMNS_CSV = (
    "group", "method", "metric", "unit", "higher_is_better", "backbone", "edits", "clips", "mean",
    "low", "high", "pairs", "difference", "difference_low", "difference_high",
)  # fmt: skip
BY_CLIP_CSV = ("clip", "method", "metric", "unit", "backbone", "edits", "mean")


def listings(found: Benchmark, shown: Sequence[str] = ()) -> list[Listing]:
    """For people; of the metrics those in `shown`, all if none of them is there."""
    metrics = [metric for metric in found.metrics if base(metric.name) in shown] or list(found.metrics)
    return [
        *paper_tables(found),
        *([_by_type(found, metrics)] if len(found.groups) > 1 else []),
        *([_differences(found, metrics)] if len(found.arms) > 1 else []),
        *([_costs(found)] if found.costs else []),
        *(_by_clip(found, metric) for metric in found.metrics if base(metric.name) in BY_CLIP),
    ]


def to_csv(found: Benchmark) -> str:
    """One line per group of edits, method and metric, with every digit."""
    lines: list[Sequence[Any]] = []
    for group in found.groups:
        for arm in found.arms:
            for metric in found.metrics:
                if (number := found.numbers.get((group, arm, metric.name))) is None:
                    continue
                value, apart = number
                differs = (apart.edits, apart.value, apart.low, apart.high) if apart else [""] * 4
                behind = (value.edits, value.clips, value.value, value.low, value.high)
                lines.append((group, arm, *metric[:4], *behind, *differs))
    return _csv(COLUMNS_CSV, lines)


def by_clip_csv(found: Benchmark) -> str:
    """One line per clip, method and metric."""
    lines = []
    for clip in found.clips:
        for arm in found.arms:
            for metric in found.metrics:
                if (mean := found.by_clip.get((clip, arm, metric.name))) is not None:
                    named = (metric.name, metric.unit, metric.backbone)
                    lines.append((clip, arm, *named, mean.edits, mean.value))
    return _csv(BY_CLIP_CSV, lines)


def _by_type(found: Benchmark, metrics: Sequence[Metric]) -> Listing:
    rows: list[tuple[str, ...]] = []
    bold: set[tuple[int, int]] = set()
    for group in found.groups:
        for arm in found.arms:
            cells = [found.numbers.get((group, arm, metric.name)) for metric in metrics]
            for column, metric in enumerate(metrics):
                if arm in _best(found, group, metric):
                    bold.add((len(rows), 3 + column))
            shown = (
                f"{cell.value.value:.{m.decimals}f}".replace("-", "−") if cell else NOTHING
                for cell, m in zip(cells, metrics, strict=True)
            )
            rows.append((group, arm, str(found.edits[group, arm]), *shown))
    header = ("type", "method", "edits", *map(_title, metrics))
    notes = (
        "Mean over edits, each with the same weight; bold: best of its type, whether others are far or near.",
        "benchmark.csv has the intervals, and how many edits are behind each number: a metric may lack some.",
    )
    return Listing("By type of edit", header, tuple(rows), notes, frozenset(bold))


def _best(found: Benchmark, group: str, metric: Metric) -> list[str]:
    """Those that share the best mean; none where all are alike."""
    means = {
        arm: found.numbers[group, arm, metric.name].value.value
        for arm in found.arms
        if (group, arm, metric.name) in found.numbers
    }
    if len(set(means.values())) < 2:
        return []
    best = (max if metric.higher_is_better else min)(means.values())
    return [arm for arm, mean in means.items() if mean == best]


def _differences(found: Benchmark, metrics: Sequence[Metric]) -> Listing:
    reference = found.arms[0]
    rows = []
    for arm in found.arms[1:]:
        cells, pairs = [], set()
        for metric in metrics:
            number = found.numbers.get((ALL, arm, metric.name))
            if number is None or number.difference is None:
                cells.append(NOTHING)
                continue
            apart = number.difference
            pairs.add(apart.edits)
            better = (apart.value > 0) == metric.higher_is_better
            mark = MARKS["better" if better else "worse"] if apart.excludes_zero else ""
            cells.append(f"{estimate(apart, metric.decimals, signed=True)} {mark}".strip())
        rows.append((arm, _range(pairs), *cells))
    notes = (
        f"Mean over the edits that a method shares with {reference}, of its score minus {reference}'s; in "
        "brackets the 95 % percentile bootstrap interval: clips are drawn, each with all of its edits.",
        f"{MARKS['better']} better, {MARKS['worse']} worse: the interval leaves out 0; not corrected for the "
        "number of comparisons.",
        *few(len(found.clips)),
    )
    header = ("method", "shared edits", *map(_title, metrics))
    return Listing(f"Difference to {reference}, edit by edit", header, tuple(rows), notes)


def _costs(found: Benchmark) -> Listing:
    names = list(dict.fromkeys(name for cost in found.costs.values() for name in cost.seconds))
    rows = []
    for arm, cost in found.costs.items():
        seconds = (f"{cost.seconds[name]:.1f}" if name in cost.seconds else NOTHING for name in names)
        memory = NOTHING if cost.memory_mb is None else f"{cost.memory_mb:.0f}"
        rows.append((arm, str(cost.cells), *seconds, memory))
    notes = ("Medians over cells: one clip with one seed, all of its prompts; they depend on the machine.",)
    header = ("method", "cells", *(f"{name} [s]" for name in names), "peak memory [MB]")
    return Listing("Time and memory", header, tuple(rows), notes)


def failures(found: Benchmark) -> list[Listing]:
    """The cells that are not there, with their reasons."""
    if not found.failures:
        return []
    rows = tuple((failure.cell, failure.state, failure.reason) for failure in found.failures)
    return [Listing("Missing cells", ("cell", "state", "reason"), rows)]


def _by_clip(found: Benchmark, metric: Metric) -> Listing:
    rows = []
    for clip in found.clips:
        means = [found.by_clip.get((clip, arm, metric.name)) for arm in found.arms]
        edits = _range({mean.edits for mean in means if mean})
        rows.append((clip, edits, *(f"{m.value:.{metric.decimals}f}" if m else NOTHING for m in means)))
    header = ("clip", "edits", *found.arms)
    return Listing(f"{_title(metric)}, clip by clip", header, tuple(rows), long=True)


def _title(metric: Metric) -> str:
    return f"{metric.name}{f' [{metric.unit}]' if metric.unit else ''} {arrow(metric)}"


def _range(counts: set[int]) -> str:
    """How many edits are behind the numbers of a row."""
    least, most = min(counts, default=0), max(counts, default=0)
    return str(most) if least == most else f"{least} to {most}"


def _csv(header: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(lines)
    return text.getvalue()
