from functools import partial

import pytest
import torch
from torch.nn.functional import interpolate

from giftune.errors import InputError
from giftune.methods.motion_pairs import MotionRange, motion_pairs, motion_range
from giftune.metrics.motion_magnitude import motion_magnitudes


@pytest.fixture(scope="module")
def sliding():
    """Frame i shows a patch moved by 3 i pixels."""
    patch = interpolate(
        torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1)), (30, 30), mode="bicubic"
    )
    frames = torch.zeros(6, 3, 64, 64)
    for i, frame in enumerate(frames):
        frame[:, 17:47, 5 + 3 * i : 35 + 3 * i] = patch[0]
    return frames


@pytest.mark.parametrize("checked", [False, True])
def test_all_pairs_in_the_range_and_no_other(sliding, rng, checked):
    found = motion_pairs(sliding, MotionRange(5, 11), 100, rng, partial(motion_magnitudes, checked=checked))
    gaps = {(a, b): abs(a - b) for a in range(6) for b in range(6)}
    assert {(p.first, p.second) for p in found} == {pair for pair, gap in gaps.items() if gap in (2, 3)}
    for pair in found:
        assert pair.motion in (3 * gaps[pair.first, pair.second] - 1, 3 * gaps[pair.first, pair.second])


def test_no_more_than_asked_and_another_draw_each_time(sliding):
    draws = [
        motion_pairs(sliding, MotionRange(2, 20), 4, torch.Generator().manual_seed(s)) for s in (0, 0, 1)
    ]
    assert draws[0] == draws[1] != draws[2]
    for draw in draws:
        assert len(set(draw)) == 4


def test_stills_have_none(rng):
    assert motion_pairs(torch.zeros(4, 3, 32, 32), MotionRange(), 10, rng) == []
    assert motion_pairs(torch.zeros(1, 3, 32, 32), MotionRange(), 10, rng) == []


def test_ranges():
    allowed = motion_range([2, 20])
    assert 2 in allowed and 19 in allowed and 20 not in allowed and 1 not in allowed
    assert str(allowed) == "2 to 19 pixels"
    for bounds in ([5, 5], [2], [0, 1025], [-1, 5]):
        with pytest.raises(InputError, match="motion_range is"):
            motion_range(bounds)
