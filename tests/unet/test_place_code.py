import math

import pytest
import torch

from giftune.errors import InputError
from giftune.unet.place_code import CYCLES, WIDTH, grid_of, place_code


def test_is_sines_then_cosines_of_x_and_y_at_the_centres_of_places():
    code = place_code(2, 3)
    assert code.shape == (6, WIDTH)
    for row in range(2):
        for column in range(3):
            sides = ((column + 0.5) / 3, (row + 0.5) / 2)
            expected = [
                wave(2 * math.pi * cycles * side)
                for wave in (math.sin, math.cos)
                for side in sides
                for cycles in CYCLES
            ]
            torch.testing.assert_close(code[3 * row + column], torch.tensor(expected), rtol=1e-4, atol=1e-5)


def test_a_place_has_the_same_code_at_every_resolution():
    torch.testing.assert_close(place_code(9, 15)[7 + 4 * 15], place_code(3, 5)[2 + 5], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (9, 16), (5, 3)])
def test_levels_are_those_of_strided_convolutions(height, width):
    picture = torch.zeros(1, 1, height, width)
    convolution = torch.nn.Conv2d(1, 1, 3, stride=2, padding=1)
    for _ in range(3):
        assert grid_of(picture[0, 0].numel(), height, width) == tuple(picture.shape[2:])
        picture = convolution(picture)


def test_another_number_of_places_is_refused():
    with pytest.raises(InputError, match="60 places are no level of a U-Net on 16 by 16 latents"):
        grid_of(60, 16, 16)
