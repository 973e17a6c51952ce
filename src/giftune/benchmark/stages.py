"""Seconds and peak memory of the stages of a job, told by its progress."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from giftune.benchmark import memory


class Stages:
    """Satisfies `OnProgress`. The time between two reports belongs to the later one.

    `now` and `peak` are clocks: of seconds, and of the most MB of memory since it was last asked.
    """

    def __init__(self, now: Any = time.perf_counter, peak: Any = memory.peak) -> None:
        self._now, self._peak = now, peak
        self._durations: dict[str, list[float]] = {}
        self._memory: dict[str, float] = {}
        self._peak()
        self._last = now()

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.mark(stage)

    def mark(self, stage: str) -> None:
        """A step of this stage has ended."""
        now = self._now()
        self._durations.setdefault(stage, []).append(now - self._last)
        self._memory[stage] = max(self._memory.get(stage, 0.0), self._peak())
        self._last = now

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """What happens inside, and since the last report, is a step of this stage."""
        yield
        self.mark(name)

    def seconds_per_step(self, stage: str) -> float:
        """Of the steps after the first, which does things that are done once; of that, where it is alone."""
        first, *others = self._durations[stage]
        return median(others) if others else first

    def once(self, stage: str) -> float:
        """The seconds that its first step took longer than another."""
        return max(0.0, self._durations[stage][0] - self.seconds_per_step(stage))

    def summary(self) -> dict[str, dict[str, int | float]]:
        """By stage, in their order: how many steps, their seconds, and the peak of memory in MB."""
        return {
            stage: {
                "steps": len(durations),
                "seconds": round(sum(durations), 3),
                "memory_mb": round(self._memory[stage], 1),
            }
            for stage, durations in self._durations.items()
        }
