"""Means with confidence intervals, and differences between two arms seed by seed.

The unit of replication is one clip with one seed: edits of one clip with one seed share the tuned weights, so
they are averaged first and count once. The intervals are Student's, over these units, at 95 %; they are not
corrected for the number of comparisons.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

from scipy.stats import t as student

LEVEL = 0.95
Unit = tuple[str, str | None]  # clip and seed
Place = tuple[str, str | None, str]  # clip, seed and prompt


class Interval(NamedTuple):
    """The mean of `n` values; `half` is half the width of its interval, None for fewer than two values."""

    mean: float
    half: float | None
    n: int

    @property
    def low(self) -> float | None:
        return None if self.half is None else self.mean - self.half

    @property
    def high(self) -> float | None:
        return None if self.half is None else self.mean + self.half

    @property
    def excludes_zero(self) -> bool:
        return self.half is not None and abs(self.mean) > self.half


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean of at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Interval(mean, None, n)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(mean, float(student.ppf((1 + LEVEL) / 2, n - 1)) * deviation / math.sqrt(n), n)


def over_units(values: Mapping[Place, float]) -> Interval | None:
    """The mean over units of the mean over each unit's prompts; None without values."""
    units: dict[Hashable, list[float]] = defaultdict(list)
    for (clip, seed, _), value in values.items():
        units[clip, seed].append(value)
    return mean_interval([math.fsum(unit) / len(unit) for unit in units.values()]) if units else None


def paired(values: Mapping[Place, float], reference: Mapping[Place, float]) -> Interval | None:
    """The mean difference to the reference where both have a value; None where they share nothing."""
    return over_units({place: values[place] - reference[place] for place in values if place in reference})
