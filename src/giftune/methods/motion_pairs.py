"""Which two frames of a clip show a motion worth learning (Pix2Gif, Kandala et al. 2024, section 3.1)."""

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.errors import InputError
from giftune.methods.number_words import LAST
from giftune.metrics.motion_magnitude import motion_magnitudes

AT_ONCE = 14  # pairs that are measured together
Measure = Callable[[Tensor, Sequence[tuple[int, int]]], Sequence[float]]


class MotionPair(NamedTuple):
    """Two frames of a clip by number, and how far things move from one to the other, in whole pixels."""

    first: int
    second: int
    motion: int


class MotionRange(NamedTuple):
    """Pixels that a pair may move by, `above` not included."""

    least: int = 2
    above: int = 20

    def __contains__(self, motion: object) -> bool:
        return isinstance(motion, int) and self.least <= motion < self.above

    def __str__(self) -> str:
        return f"{self.least} to {self.above - 1} pixels"


def motion_range(bounds: Sequence[int]) -> MotionRange:
    """Raises `InputError` for what is no range within 0 to 1023."""
    if len(bounds) != 2 or not 0 <= bounds[0] < bounds[1] <= LAST + 1:
        raise InputError(
            f"motion_range is {list(bounds)}, it must be two growing numbers from 0 to {LAST + 1}."
        )
    return MotionRange(*bounds)


def motion_pairs(
    frames: Float[Tensor, "f 3 h w"],
    allowed: MotionRange,
    most: int,
    generator: Generator,
    measure: Measure = motion_magnitudes,
) -> list[MotionPair]:
    """Up to `most` pairs, drawn from all that lie in the range without drawing one twice; there may be none.

    Pairs are measured in a random order, some at once, until there are enough, which is the same draw as to
    measure them all. What `measure` says of them is cut to whole numbers. 10 a clip are published.
    """
    places = list(permutations(range(len(frames)), 2))
    order = [places[index] for index in torch.randperm(len(places), generator=generator).tolist()]
    found: list[MotionPair] = []
    for start in range(0, len(order), AT_ONCE):
        some = order[start : start + AT_ONCE]
        magnitudes = measure(frames, some)
        measured = [MotionPair(a, b, int(size)) for (a, b), size in zip(some, magnitudes, strict=True)]
        found += [pair for pair in measured if pair.motion in allowed]
        if len(found) >= most:
            break
    return found[:most]
