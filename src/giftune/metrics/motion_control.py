"""Does the motion that was asked for come out? (Pix2Gif, Kandala et al. 2024, table 2)"""

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError
from giftune.metrics.motion_magnitude import motion_magnitudes


def measured_motion(picture: Float[Tensor, "3 h w"], frames: Float[Tensor, "f 3 h w"]) -> Float[Tensor, "f"]:
    """From the source to each frame, in pixels."""
    pairs = [(0, number) for number in range(1, len(frames) + 1)]
    return torch.tensor(motion_magnitudes(torch.cat([picture[None], frames]), pairs))


def pearson(asked: Float[Tensor, "n"], found: Float[Tensor, "n"]) -> float:
    """Correlation of what was asked and what was found; raises `InputError` where either never changes."""
    first, second = ((motions - motions.mean()).double() for motions in (asked, found))
    norms = first.norm() * second.norm()
    if norms == 0:
        raise InputError("asked or found motions are all the same, which correlates with nothing.")
    return float(first @ second / norms)


def distance(asked: Float[Tensor, "n"], found: Float[Tensor, "n"]) -> float:
    """L2: the Euclidean length of the difference, which grows with the number of frames."""
    return float((asked - found).double().norm())
