"""Durations in whole units without drift."""

import math
from collections.abc import Iterable

# Browsers show delays of 10 ms or less for 100 ms; files with a delay of 0 are common and mean this.
SHORTEST_SHOWN_MS = 20
UNSPECIFIED_MS = 100


def shown_ms(duration_ms: int) -> int:
    """How long a browser shows a frame that claims this duration."""
    return duration_ms if duration_ms > 10 else UNSPECIFIED_MS


def whole(lengths: Iterable[float], least: int = 1) -> tuple[int, ...]:
    """Round lengths to integers of at least `least`, carrying the error so that running totals stay right."""
    result = []
    wanted, given = 0.0, 0
    for length in lengths:
        wanted += length
        step = max(least, math.floor(wanted - given + 0.5))
        given += step
        result.append(step)
    return tuple(result)
