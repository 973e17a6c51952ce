"""Against scikit-image's map of similarities."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity

from giftune.errors import InputError
from giftune.metrics.background_ssim import BackgroundSsim


@pytest.fixture
def mask():
    mask = torch.zeros(2, 24, 40)
    mask[0, :12, :15], mask[1, 8:, 20:] = 1, 0.4
    return mask


def test_as_scikit_image_with_the_subject_put_back(noise, mask):
    source, edited = noise(2), noise(2)
    expected = []
    for before, after, subject in zip(source.numpy(), edited.numpy(), mask.numpy(), strict=True):
        pair = [(frame + 1) / 2 for frame in (before, np.where(subject > 0, before, after))]
        _, similarity = structural_similarity(
            *pair, channel_axis=0, data_range=1, gaussian_weights=True, use_sample_covariance=False, full=True
        )
        inner = similarity.mean(axis=0)[5:-5, 5:-5]
        expected.append(inner[subject[5:-5, 5:-5] == 0].mean())
    got = float(BackgroundSsim()(source=source, edited=edited, mask=mask))
    assert got == pytest.approx(np.mean(expected), abs=1e-4)


def test_the_subject_does_not_count(noise, mask):
    source = noise(2)
    edited = torch.where(mask[:, None] > 0, -source, source)
    assert float(BackgroundSsim()(source=source, edited=edited, mask=mask)) == pytest.approx(1, abs=1e-5)
    assert BackgroundSsim()(source=source, edited=edited, mask=1 - mask.ceil()) < 0.5


def test_too_small_or_without_background(noise, mask):
    small = noise(2, 10, 40)
    with pytest.raises(InputError, match="edited is 40 x 10 pixels, SSIM needs 11 a side"):
        BackgroundSsim()(source=small, edited=small, mask=torch.zeros(2, 10, 40))
    frames = noise(2)
    mask[0, 3:, 3:], mask[0, :3] = 1, 0
    with pytest.raises(InputError, match="no background in frame 0"):
        BackgroundSsim()(source=frames, edited=frames, mask=mask)
