"""All metrics on one edit: what they found, and what could not be measured."""

import inspect
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from giftune.errors import InputError
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

    def score(self, forgiving: bool = False, **inputs: Any) -> tuple[list[Score], dict[str, str]]:
        """The scores of one edit, and why others are missing; inputs that are None count as not given.

        Raises `InputError` for input that a metric refuses; when `forgiving` that is one more reason.
        """
        given = {name: value for name, value in inputs.items() if value is not None}
        scores, skipped = [], dict(self.skipped)
        for name, metric in self.metrics.items():
            needs = _needs(metric)
            if absent := [need for need in needs if need not in given]:
                if not metric.rare:
                    skipped[name] = f"needs {' and '.join(absent)}."
                continue
            metric.reset()
            try:
                value = float(metric(**{need: given[need] for need in needs}))
            except InputError as refusal:
                if not forgiving:
                    raise
                skipped[name] = str(refusal)
                continue
            if math.isfinite(value):
                scores.append(Score(name, value, metric.unit, metric.higher_is_better, metric.backbone))
            else:
                skipped[name] = f"came out as {value}."
        return scores, skipped


def _needs(metric: ClipMean) -> list[str]:
    return list(inspect.signature(type(metric).update).parameters)[1:]
