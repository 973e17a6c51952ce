"""All metrics on one edit: what they found, and what could not be measured."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torchmetrics import MetricCollection

from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.features import MissingWeights


@dataclass(frozen=True)
class Score:
    """One number with what it takes to read it."""

    name: str
    value: float
    unit: str
    higher_is_better: bool
    backbone: str


class Suite:
    """Metrics by name; those whose weights are missing are in `skipped`, each with the reason.

    `makers` make the metrics, and may raise `MissingWeights`.
    """

    def __init__(self, makers: Mapping[str, Callable[[], ClipMean]]) -> None:
        self.metrics: dict[str, ClipMean] = {}
        self.skipped: dict[str, str] = {}
        for name, make in makers.items():
            try:
                self.metrics[name] = make()
            except MissingWeights as missing:
                self.skipped[name] = str(missing)

    def score(self, **inputs: Any) -> tuple[list[Score], dict[str, str]]:
        """The scores of one edit, and why others are missing; inputs that are None count as not given.

        The metrics themselves go on averaging until `reset`. Raises `InputError` for bad input.
        """
        given = {name: value for name, value in inputs.items() if value is not None}
        skipped, able = dict(self.skipped), {}
        for name, metric in self.metrics.items():
            absent = [need for need in _needs(metric) if need not in given]
            if absent:
                skipped[name] = f"needs {' and '.join(absent)}."
            else:
                able[name] = metric
        # It hands every metric the inputs that it names. With groups, metrics whose first values coincide
        # would be merged, and share all later ones.
        values = MetricCollection(dict(able), compute_groups=False)(**given) if able else {}
        scores = [
            Score(name, float(values[name]), metric.unit, metric.higher_is_better, metric.backbone)
            for name, metric in able.items()
        ]
        return scores, skipped

    def means(self) -> dict[str, float]:
        """Mean over all edits scored so far, of the metrics that were measured at all."""
        return {
            name: float(metric.compute()) for name, metric in self.metrics.items() if metric.update_called
        }

    def reset(self) -> None:
        for metric in self.metrics.values():
            metric.reset()


def _needs(metric: ClipMean) -> list[str]:
    return list(inspect.signature(type(metric).update).parameters)[1:]
