import pytest

from giftune.benchmark.stages import Stages


class Clock:
    """Says what it is told, once each."""

    def __init__(self, *values):
        self.values = iter(values)

    def __call__(self):
        return next(self.values)


def stages(seconds, memory):
    return Stages(Clock(0.0, *seconds), Clock(0.0, *memory))


def test_the_time_between_two_reports_belongs_to_the_later():
    timed = stages([5.0, 6.0, 8.0, 8.5], [100.0, 300.0, 200.0, 50.0])
    timed("tuning", 1, 2)
    timed("tuning", 2, 2)
    timed("sampling", 1, 1)
    with timed.stage("writing"):
        pass
    assert timed.summary() == {
        "tuning": {"steps": 2, "seconds": 6.0, "memory_mb": 300.0},
        "sampling": {"steps": 1, "seconds": 2.0, "memory_mb": 200.0},
        "writing": {"steps": 1, "seconds": 0.5, "memory_mb": 50.0},
    }


def test_what_is_done_once_is_told_from_a_step():
    timed = stages([7.0, 9.0, 11.0, 13.0, 20.0], [1.0] * 5)
    for step in range(5):
        timed("tuning", step + 1, 5)
    assert timed.seconds_per_step("tuning") == pytest.approx(2.0)  # the median of 2, 2, 2, 7
    assert timed.once("tuning") == pytest.approx(5.0)


def test_a_single_step_is_all_there_is_to_know():
    timed = stages([3.0], [1.0])
    timed.mark("writing")
    assert timed.seconds_per_step("writing") == 3.0 and timed.once("writing") == 0.0


def test_a_first_step_that_is_shorter_is_no_gain():
    timed = stages([1.0, 4.0], [1.0, 1.0])
    timed("sampling", 1, 2)
    timed("sampling", 2, 2)
    assert timed.once("sampling") == 0.0
