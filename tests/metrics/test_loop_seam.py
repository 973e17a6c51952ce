import numpy as np
import pytest

from giftune.clip import Clip
from giftune.metrics.loop_seam import LoopSeam


def test_from_the_last_frame_to_the_first(noise):
    pixels = Clip(noise(4), (100,) * 4).pixels()
    frames = Clip.from_pixels(pixels, (100,) * 4).frames
    expected = np.abs(pixels[3].astype(int) - pixels[0]).mean()
    assert float(LoopSeam()(edited=frames)) == pytest.approx(expected, rel=1e-4)
    there_and_back = frames[[0, 1, 2, 0]]
    assert LoopSeam()(edited=there_and_back) == 0
