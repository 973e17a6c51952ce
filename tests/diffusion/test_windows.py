from itertools import pairwise

import pytest
import torch

from giftune.diffusion.windows import Windows
from giftune.errors import InputError

CASES = [(5, 2, 9), (5, 2, 6), (32, 8, 128), (2, 0, 7), (16, 0, 128), (9, 7, 40), (8, 3, 8)]


@pytest.mark.parametrize(("frames", "overlap", "num_frames"), CASES)
def test_windows_cover_the_clip_and_overlap(frames, overlap, num_frames):
    windows = Windows(frames, overlap).cut(num_frames)
    assert {len(window.frames) for window in windows} == {frames}, "memory is that of one window"
    assert all(window.frames[0] == 0 for window in windows)
    for window in windows:
        assert window.own == list(range(window.own[0], window.own[0] + len(window.own)))
    assert windows[0].own[0] == 0 and windows[-1].own[-1] == num_frames - 1
    for before, after in pairwise(windows):
        assert len(set(before.own) & set(after.own)) >= overlap
        assert after.own[0] > before.own[0] and after.own[0] <= before.own[-1] + 1
        assert not before.anchored or before.own[0] > 0


def test_no_more_windows_than_needed():
    """128 frames by 32: after the first window 96 are left, and each further one brings at most 23."""
    windows = Windows(32, 8).cut(128)
    assert [window.own[0] for window in windows] == [0, 20, 39, 58, 77, 97]


@pytest.mark.parametrize(("frames", "overlap", "num_frames"), CASES)
def test_weights_sum_to_one_and_are_zero_outside(frames, overlap, num_frames):
    windows = Windows(frames, overlap)
    weights = windows.weights(num_frames)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(num_frames))
    for row, window in zip(weights, windows.cut(num_frames), strict=True):
        assert set(row.nonzero().flatten().tolist()) == set(window.own)


def test_weights_pass_smoothly_from_one_window_to_the_next():
    first, second = Windows(20, 8).weights(31)
    shared = (first * second).nonzero().flatten()
    assert len(shared) == 8
    assert (first[shared].diff() < 0).all() and (second[shared].diff() > 0).all()
    assert first[shared[0]] > 0.95 and second[shared[-1]] > 0.95
    assert 0.4 < first[shared[3:5]].mean() < 0.6


@pytest.mark.parametrize("windows", [Windows(), Windows(24), Windows(30)])
def test_a_clip_that_fits_is_one_window(windows):
    (window,) = windows.cut(24)
    assert window.frames == window.own == list(range(24))
    assert torch.equal(windows.weights(24), torch.ones(1, 24))
    assert windows.most(24) == 24 and Windows(8, 2).most(24) == 8


@pytest.mark.parametrize(("frames", "overlap"), [(1, 0), (0, 0), (8, 7), (8, -1), (2, 1)])
def test_refuses(frames, overlap):
    with pytest.raises(InputError, match=r"window\.(frames|overlap)"):
        Windows(frames, overlap)
