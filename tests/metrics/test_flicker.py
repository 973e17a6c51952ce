from itertools import pairwise

import numpy as np
import pytest

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.metrics.flicker import BackgroundFlicker, Flicker


def clip_of(noise, num_frames=4):
    """Frames that are exactly 8 bits, so that grey levels can be counted."""
    pixels = Clip(noise(num_frames), (100,) * num_frames).pixels()
    return Clip.from_pixels(pixels, (100,) * num_frames).frames, pixels.astype(int)


def test_in_grey_levels_as_vbench_counts(noise):
    frames, pixels = clip_of(noise)
    expected = np.mean([np.abs(a - b).mean() for a, b in pairwise(pixels)])
    assert float(Flicker()(edited=frames)) == pytest.approx(expected, rel=1e-4)
    assert Flicker()(edited=frames[:1].repeat(4, 1, 1, 1)) == 0
    with pytest.raises(InputError, match="edited has 1 frame"):
        Flicker()(edited=frames[:1])


def test_only_where_the_subject_is_in_neither_frame(noise):
    frames, pixels = clip_of(noise, 2)
    mask = frames.new_zeros(2, 24, 40)
    mask[0, :10], mask[1, :, :15] = 1, 0.5
    expected = np.abs(pixels[0] - pixels[1])[10:, 15:].mean()
    assert float(BackgroundFlicker()(edited=frames, mask=mask)) == pytest.approx(expected, rel=1e-4)
