import random
from itertools import accumulate

import pytest

from giftune.io.timing import shown_ms, whole


@pytest.mark.parametrize(("stored", "shown"), [(0, 100), (10, 100), (20, 20), (100, 100)])
def test_very_short_delays_count_as_browsers_show_them(stored: int, shown: int) -> None:
    assert shown_ms(stored) == shown


def test_running_totals_never_drift() -> None:
    lengths = [random.Random(k).uniform(2, 40) for k in range(200)]
    for exact, rounded in zip(accumulate(lengths), accumulate(whole(lengths)), strict=True):
        assert abs(exact - rounded) <= 0.5 + 1e-9


def test_known_rates() -> None:
    assert whole([12.5] * 4) == (13, 12, 13, 12)
    assert whole([1000 / 30] * 3) == (33, 34, 33)


def test_the_shortest_length_is_respected_and_paid_back() -> None:
    assert whole([1.0, 1.0, 6.0], least=2) == (2, 2, 4)
    assert whole([1.0, 1.0, 1.0], least=2) == (2, 2, 2)
