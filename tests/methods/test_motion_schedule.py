from itertools import pairwise

import pytest

from giftune.errors import InputError
from giftune.methods.motion_schedule import PUBLISHED, motion_schedule


def test_even_steps_lead_to_the_motion():
    assert motion_schedule("even", 4, 8) == (2, 4, 6, 8)
    assert motion_schedule("even", 8, 19) == (2, 4, 7, 9, 12, 14, 17, 19)
    assert motion_schedule("even", 1, 8) == (2,) and motion_schedule("even", 3, 1) == (1, 1, 1)
    assert motion_schedule("even", 3, 10, least=4) == (4, 7, 10)


def test_published_ones_are_as_they_are():
    for name, motions in PUBLISHED.items():
        assert motion_schedule(name, len(motions), 3) == motions
        assert motions[0] == 2 and motions[-1] == 19 and len(motions) in (8, 16)
        assert all(a < b for a, b in pairwise(motions))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("loop", 8, 8), "schedule is 'loop', it must be even or one of demo, ablation, evaluation"),
        (("demo", 9, 8), "schedule demo has 8 frames, but 9 are to be drawn"),
        (("even", 8, -1), "motion is -1"),
    ],
)
def test_bad_input(given, sentence):
    with pytest.raises(InputError, match=sentence):
        motion_schedule(*given)
