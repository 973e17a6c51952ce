"""The drawings of a report: metrics by arm, against tuning steps, against seconds, and loss curves."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

import numpy as np

from giftune.report._svg import BAD, GOOD, INK, MUTED, Canvas, colour, dashes
from giftune.report.comparison import CLOCK, Comparison, Metric
from giftune.report.results import Results

STEPS = "trainer.max_steps"
_MARKERS = {"better": ("^", GOOD), "worse": ("v", BAD), "": ("o", INK)}
_WIDTH, _HEIGHT = 4.4, 2.9


class Plot(NamedTuple):
    """An SVG with what it shows; `metric` is None for what belongs to no metric."""

    title: str
    metric: str | None
    svg: str

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        title = f"<figcaption>{escape(self.title)}</figcaption>"
        return f'<figure style="max-width: 32rem">{title}{self.svg}</figure>'


def by_arm(comparison: Comparison) -> list[Plot]:
    """One drawing per metric: the mean of each arm with its interval, the reference as a line."""
    return [
        Plot(_title(metric), metric.name, _by_arm(comparison, metric, f"arm{index}"))
        for index, metric in enumerate(comparison.metrics)
    ]


def _by_arm(comparison: Comparison, metric: Metric, name: str) -> str:
    arms = comparison.arms
    with Canvas.draw(name, _WIDTH, 0.55 + 0.27 * len(arms)) as (canvas, axes):
        for row, arm in enumerate(arms):
            if (cell := comparison.cells.get((arm, metric.name))) is None:
                continue
            marker, ink = _MARKERS[cell.verdict]
            axes.errorbar(
                cell.value.mean, row, xerr=cell.value.half, fmt=marker, color=ink, ms=6, lw=1.6, capsize=0
            )
            if row == 0:
                axes.axvline(cell.value.mean, color=MUTED, lw=0.9, dashes=(4, 3), zorder=0)
        axes.set_yticks(range(len(arms)), [_short(arm) for arm in arms])
        axes.set_ylim(len(arms) - 0.4, -0.6)
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="x")
        axes.locator_params(axis="x", nbins=5)
    return canvas.svg


def against_seconds(results: Results, comparison: Comparison) -> list[Plot]:
    """Quality against the time that one edited clip takes: to tune on the clip, and to edit it."""
    seconds: dict[str, list[float]] = defaultdict(list)
    for edit in results.edits:
        if edit.seconds is not None:
            seconds[edit.arm].append(edit.seconds + (edit.run.tuning_seconds or 0))
    places = {arm: float(np.mean(values)) for arm, values in seconds.items()}
    if len(places) < 2:
        return []
    series = [(arm, [(places[arm], arm)] if arm in places else []) for arm in comparison.arms]
    return _scatters(comparison, series, "seconds of tuning and one edit", "sec")


def against_steps(results: Results, comparison: Comparison) -> tuple[list[Plot], list[str]]:
    """Metrics over tuning steps, and the names of the lines: arms that differ in nothing else."""
    series: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for arm in comparison.arms:
        choices = results.runs_of(arm)[0].choices
        try:
            steps = float(choices[STEPS])
        except (KeyError, ValueError):
            continue
        others = [part for part in arm.split(", ") if part != f"max_steps={choices[STEPS]}"]
        series[", ".join(others)].append((steps, arm))
    lines = [(name, sorted(points)) for name, points in series.items()]
    if max((len({x for x, _ in points}) for _, points in lines), default=0) < 2:
        return [], []
    return _scatters(comparison, lines, "tuning steps", "step"), [name for name, _ in lines]


def _scatters(
    comparison: Comparison, series: Sequence[tuple[str, Sequence[tuple[float, str]]]], label: str, name: str
) -> list[Plot]:
    plots = []
    for index, metric in enumerate(comparison.metrics):
        if metric.backbone == CLOCK:
            continue
        with Canvas.draw(f"{name}{index}", _WIDTH, _HEIGHT) as (canvas, axes):
            for place, (_, points) in enumerate(series):
                cells = [(x, comparison.cells.get((arm, metric.name))) for x, arm in points]
                known = [(x, cell.value) for x, cell in cells if cell is not None]
                if not known:
                    continue
                axes.errorbar(
                    [x for x, _ in known],
                    [value.mean for _, value in known],
                    yerr=[value.half or 0 for _, value in known],
                    fmt="o", ls=dashes(place), color=colour(place), ms=5, lw=1.4,
                )  # fmt: skip
            axes.set_xlabel(label)
            axes.grid()
            axes.locator_params(nbins=5)
        plots.append(Plot(_title(metric), metric.name, canvas.svg))
    return plots


def losses(results: Results, arms: Sequence[str]) -> list[Plot]:
    """One drawing per part of the loss: its mean over the runs of an arm, smoothed over a twentieth."""
    curves: dict[str, dict[str, Mapping[int, list[float]]]] = defaultdict(dict)
    for arm in arms:
        parts: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        for run in results.runs_of(arm):
            for line in run.losses:
                for part, value in line["raw"].items():
                    if math.isfinite(value):
                        parts[part][line["step"]].append(value)
        for part, steps in parts.items():
            curves[part][arm] = steps
    plots = []
    for index, (part, by_arm) in enumerate(curves.items()):
        with Canvas.draw(f"loss{index}", _WIDTH, _HEIGHT) as (canvas, axes):
            for place, arm in enumerate(arms):
                if values := by_arm.get(arm):
                    at = sorted(values)
                    mean = smooth([float(np.mean(values[step])) for step in at])
                    axes.plot(at, mean, color=colour(place), ls=dashes(place), lw=1.4)
            axes.set_xlabel("step")
            axes.grid()
            axes.locator_params(nbins=5)
        plots.append(Plot(part, None, canvas.svg))
    return plots


def smooth(values: Sequence[float]) -> list[float]:
    """The mean of a window around each value, a twentieth of all wide; it is cut at the ends."""
    reach = len(values) // 40
    return [float(np.mean(values[max(0, index - reach) : index + reach + 1])) for index in range(len(values))]


def _title(metric: Metric) -> str:
    unit = f" [{metric.unit}]" if metric.unit else ""
    return f"{metric.name}{unit}, {'higher' if metric.higher_is_better else 'lower'} is better"


def _short(text: str) -> str:
    return text if len(text) <= 28 else f"{text[:27]}…"
