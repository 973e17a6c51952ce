"""What tells places of a picture apart: waves over its height and its width."""

import math

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError

CYCLES = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)  # of a wave over the whole side
WIDTH = 4 * len(CYCLES)


def place_code(height: int, width: int) -> Float[Tensor, "n 32"]:
    """sin and cos of 2 pi k x and 2 pi k y at the centres of all places, row after row; x, y in [0, 1].

    As it is measured in sides, a place has the same code at every resolution. Our own choice of waves.
    """
    x = repeat((torch.arange(width) + 0.5) / width, "w -> (h w)", h=height)
    y = repeat((torch.arange(height) + 0.5) / height, "h -> (h w)", w=width)
    angles = 2 * math.pi * rearrange([x, y], "two n -> n two 1") * torch.tensor(CYCLES)
    return rearrange([angles.sin(), angles.cos()], "wave n two k -> n (wave two k)")


def grid_of(num_places: int, height: int, width: int) -> tuple[int, int]:
    """Height and width of a level of the U-Net with `num_places`, whose input is `height` by `width`.

    Each level has half of the one above it, rounded up. Raises `InputError` where no level is so large.
    """
    high, wide = height, width
    while high * wide > num_places:
        high, wide = math.ceil(high / 2), math.ceil(wide / 2)
    if high * wide != num_places:
        raise InputError(f"{num_places} places are no level of a U-Net on {height} by {width} latents.")
    return high, wide
