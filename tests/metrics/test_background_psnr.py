"""Against scikit-image on the background's pixels."""

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from giftune.errors import InputError
from giftune.metrics.background_psnr import BackgroundPsnr


@pytest.fixture
def mask():
    mask = torch.zeros(3, 24, 40)
    mask[0, :10], mask[1, :, 20:], mask[2, 5:9, 5:9] = 1, 0.3, 1
    return mask


def test_as_scikit_image_on_each_frame(noise, mask):
    source, edited = noise(3), noise(3)
    expected = []
    for before, after, subject in zip(source.numpy(), edited.numpy(), mask.numpy(), strict=True):
        outside = subject == 0
        pair = (before[:, outside] + 1) / 2, (after[:, outside] + 1) / 2
        expected.append(peak_signal_noise_ratio(*pair, data_range=1))
    got = float(BackgroundPsnr()(source=source, edited=edited, mask=mask))
    assert got == pytest.approx(np.mean(expected), rel=1e-5)


def test_the_subject_does_not_count(noise, mask):
    source = noise(3)
    edited = torch.where(mask[:, None] > 0, -source, source)
    assert BackgroundPsnr()(source=source, edited=edited, mask=mask) == 100
    assert BackgroundPsnr()(source=source, edited=edited, mask=1 - mask.ceil()) < 20


def test_bad_masks_are_named(noise, mask):
    source, metric = noise(3), BackgroundPsnr()
    with pytest.raises(InputError, match="mask leaves no background in frame 1"):
        mask[1] = 1
        metric(source=source, edited=source, mask=mask)
    with pytest.raises(
        InputError, match=r"mask has shape \(2, 24, 40\), for this clip it must be \(3, 24, 40\)"
    ):
        metric(source=source, edited=source, mask=mask[:2])
    with pytest.raises(InputError, match="mask has values outside of 0"):
        metric(source=source, edited=source, mask=mask * 255)
    with pytest.raises(InputError, match="source has 2 frames and edited 3"):
        metric(source=source[:2], edited=source, mask=mask)
