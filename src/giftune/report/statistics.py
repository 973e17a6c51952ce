"""Means with confidence intervals, and differences between two arms seed by seed.

The unit of replication is one clip with one seed: edits of one clip with one seed share the tuned weights, so
they are averaged first and count once. The intervals are Student's, over these units, at 95 %; they are not
corrected for the number of comparisons.
"""

import math
from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from typing import NamedTuple

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


def t_within(angle: float, degrees: int) -> float:
    """P(|T| <= tan(angle) sqrt(degrees)) for Student's T (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = degrees % 2
    term, total = (cosine, 0.0) if odd else (1.0, 0.0)
    for power in range(1 + odd, degrees, 2):
        total += term
        term *= cosine**2 * power / (power + 1)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total


def t_quantile(level: float, degrees: int) -> float:
    """The t that |T| stays below with probability `level`, by bisection."""
    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_within(middle, degrees) < level else (low, middle)
    return math.tan(low) * math.sqrt(degrees)


def mean_interval(values: Sequence[float]) -> Interval:
    """Student's interval of the mean of at least one value."""
    n = len(values)
    mean = math.fsum(values) / n
    if n < 2:
        return Interval(mean, None, n)
    deviation = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (n - 1))
    return Interval(mean, t_quantile(LEVEL, n - 1) * deviation / math.sqrt(n), n)


def over_units(values: Mapping[Place, float]) -> Interval | None:
    """The mean over units of the mean over each unit's prompts; None without values."""
    units: dict[Hashable, list[float]] = defaultdict(list)
    for (clip, seed, _), value in values.items():
        units[clip, seed].append(value)
    return mean_interval([math.fsum(unit) / len(unit) for unit in units.values()]) if units else None


def paired(values: Mapping[Place, float], reference: Mapping[Place, float]) -> Interval | None:
    """The mean difference to the reference where both have a value; None where they share nothing."""
    return over_units({place: values[place] - reference[place] for place in values if place in reference})
