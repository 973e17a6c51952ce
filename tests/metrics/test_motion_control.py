import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from torch.nn.functional import interpolate

from giftune.errors import InputError
from giftune.metrics.motion_control import distance, measured_motion, pearson


def test_both_are_those_of_scipy_and_numpy(generator):
    asked = torch.tensor([2.0, 4, 6, 8, 11, 14, 17, 19])
    found = asked + torch.randn(8, generator=generator)
    assert pearson(asked, found) == pytest.approx(pearsonr(asked, found).statistic)
    assert distance(asked, found) == pytest.approx(np.linalg.norm(asked - found), rel=1e-6)
    assert pearson(asked, -3 * asked + 1) == pytest.approx(-1)


def test_a_sequence_that_moves_as_asked(generator):
    patch = interpolate(torch.rand(1, 3, 8, 8, generator=generator), (40, 40), mode="bicubic")[0]
    picture, frames = torch.zeros(3, 100, 100), torch.zeros(4, 3, 100, 100)
    picture[:, 30:70, 30:70] = patch
    asked = torch.tensor([2.0, 4, 6, 8])
    for frame, shift in zip(frames, (2, 4, 6, 8), strict=True):
        frame[:, 30:70, 30 - shift : 70 - shift] = patch
    found = measured_motion(picture, frames)
    assert pearson(asked, found) > 0.99 and distance(asked, found) < 0.5
    assert pearson(asked.flip(0), found) < -0.99


def test_motions_that_never_change_correlate_with_nothing():
    with pytest.raises(InputError, match="all the same"):
        pearson(torch.arange(3.0), torch.full((3,), 4.0))
