"""Means over edits with percentile bootstrap intervals (Efron 1979), clips as the unit of replication."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from giftune.report.statistics import LEVEL

FEW = 20  # clips; with fewer, the spread of resampled means falls short of that of means
TAILS = (50 * (1 - LEVEL), 50 * (1 + LEVEL))  # per cent


class Estimate(NamedTuple):
    """A number with its interval, None for fewer than two clips, and how much it rests on."""

    value: float
    low: float | None
    high: float | None
    edits: int
    clips: int

    @property
    def excludes_zero(self) -> bool:
        return self.low is not None and self.high is not None and (self.low > 0 or self.high < 0)


class Bootstrap:
    """Draws clips with replacement; all edits of a clip, whatever their seed and prompt, go with it.

    Numbers that rest on equally many clips share their draws.
    """

    def __init__(self, generator: np.random.Generator, resamples: int = 10_000) -> None:
        self.generator, self.resamples = generator, resamples
        self._drawn: dict[int, Float[np.ndarray, "r n"]] = {}

    def drawn(self, clips: int) -> Float[np.ndarray, "r n"]:
        """How often each of `clips` clips is in each resample of as many."""
        if clips not in self._drawn:
            picks = self.generator.integers(0, clips, (self.resamples, clips))
            shifted = picks + clips * np.arange(self.resamples)[:, None]
            counts = np.bincount(shifted.ravel(), minlength=self.resamples * clips)
            self._drawn[clips] = counts.reshape(self.resamples, clips).astype(np.float64)
        return self._drawn[clips]

    def mean(self, values: Mapping[str, Sequence[float]]) -> Estimate | None:
        """The mean over all edits, each with the same weight, of values by clip; None without values."""
        found = [clip for clip in values.values() if clip]
        if not found:
            return None
        sums, edits = np.array([sum(clip) for clip in found]), np.array([len(clip) for clip in found])
        drawn = self.drawn(len(found)) if len(found) > 1 else np.empty((0, 1))
        low, high = interval(drawn @ sums / (drawn @ edits))
        return Estimate(float(sums.sum() / edits.sum()), low, high, int(edits.sum()), len(found))


def interval(values: Float[np.ndarray, " r"]) -> tuple[float | None, float | None]:
    """The percentiles between which the middle 95 % of the finite values lie; None without any."""
    finite = values[np.isfinite(values)]
    if not len(finite):
        return None, None
    low, high = np.percentile(finite, TAILS)
    return float(low), float(high)


def few(clips: int) -> list[str]:
    """What to say beside an interval over so many clips."""
    return [f"{clips} clips are few: bootstrap intervals over them are too narrow."] if clips < FEW else []
