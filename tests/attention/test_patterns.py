import pytest

from giftune.attention.patterns import first_frame, full, per_frame, previous_frame, sparse_causal, window
from giftune.errors import InputError

TABLES = {
    "per_frame": (per_frame, [[0], [1], [2], [3]]),
    "first_frame": (first_frame, [[0], [0], [0], [0]]),
    "previous_frame": (previous_frame, [[0], [0], [1], [2]]),
    "sparse_causal": (sparse_causal, [[0, 0], [0, 0], [0, 1], [0, 2]]),
    "window(3)": (window(3), [[0, 1, 2], [0, 1, 2], [1, 2, 3], [1, 2, 3]]),
    "full": (full, [[0, 1, 2, 3]] * 4),
}


@pytest.mark.parametrize(("name", "case"), TABLES.items(), ids=TABLES.keys())
def test_table_for_four_frames(name, case):
    pattern, table = case
    assert pattern(4).tolist() == table
    assert pattern.__name__ == name


@pytest.mark.parametrize("case", TABLES.values(), ids=TABLES.keys())
def test_a_still_sees_only_itself(case):
    assert set(case[0](1).flatten().tolist()) == {0}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 9])
def test_window_always_holds_its_own_frame_and_no_frame_twice(size):
    for i, row in enumerate(window(size)(6).tolist()):
        assert i in row
        assert len(set(row)) == len(row) == min(size, 6)


def test_an_empty_window_is_refused():
    with pytest.raises(InputError, match="window size is 0"):
        window(0)
