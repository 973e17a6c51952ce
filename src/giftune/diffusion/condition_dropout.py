"""Leaving conditions out while training, so that a network can be guided by them later."""

import torch
from jaxtyping import Bool
from torch import Generator, Tensor

from giftune.errors import InputError


def drop_conditions(
    count: int, generator: Generator, share: float = 0.05
) -> tuple[Bool[Tensor, "count"], Bool[Tensor, "count"]]:
    """Which of `count` examples do without their text, and which without their image.

    One draw decides for both: the text alone, both, and the image alone are left out in a `share` each
    (InstructPix2Pix, Brooks et al. 2023, section 3.2.1; as Pix2Gif). Raises `InputError` outside 0 to 1/3.
    """
    if not 0 <= share <= 1 / 3:
        raise InputError(f"dropout is {share}, of each of three kinds: it must be between 0 and 1/3.")
    draw = torch.rand(count, generator=generator)
    return draw < 2 * share, (draw >= share) & (draw < 3 * share)
