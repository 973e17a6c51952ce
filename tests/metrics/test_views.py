"""Against Pillow, through open_clip's own transform."""

import numpy as np
import pytest
import torch
from open_clip import image_transform
from PIL import Image

from giftune.clip import Clip
from giftune.metrics.views import arrange


@pytest.mark.parametrize(("height", "width"), [(24, 41), (60, 33), (32, 32)])
@pytest.mark.parametrize("view", ["centre_crop", "square", "bottom_square"])
def test_as_pillow(noise, height, width, view):
    frames = noise(1, height, width)
    pixels = Clip(frames, (100,)).pixels()[0]
    picture = Image.fromarray(pixels)
    if view == "square":
        picture = picture.resize((480, 480))
    if view == "bottom_square" and height > width:
        picture = picture.crop((0, height - width, width, height))
    expected = image_transform(32, is_train=False, mean=(0.5,) * 3, std=(0.5,) * 3)(picture)
    got = arrange(torch.from_numpy(np.moveaxis(pixels, -1, 0)[None] / 127.5 - 1).float(), view, 32)[0]
    assert (got - expected).abs().max() < 0.02  # Pillow rounds to 8 bits


def test_views_differ(noise):
    portrait = noise(1, 60, 33)
    centre, square, bottom = (arrange(portrait, v, 32) for v in ("centre_crop", "square", "bottom_square"))
    assert min((a - b).abs().max() for a, b in [(centre, square), (centre, bottom), (square, bottom)]) > 0.1
