"""What tells frames apart: the sinusoidal code of their positions."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError


def frame_code(num_frames: int, channels: int) -> Float[Tensor, "f c"]:
    """sin and cos of i / 10000^(2 k / c), interleaved (Vaswani et al. 2017, section 3.5).

    No length is the longest. Raises `InputError` for an odd number of channels.
    """
    if channels % 2:
        raise InputError(f"channels is {channels}, a frame code needs an even number")
    rates = torch.exp(torch.arange(0, channels, 2) * (-math.log(10000.0) / channels))
    angles = torch.arange(num_frames)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1)
