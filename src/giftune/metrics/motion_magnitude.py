"""How far things move between two pictures, as one number."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from giftune.metrics.corners import shi_tomasi
from giftune.metrics.lucas_kanade import track

GREY = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601, as OpenCV's
LEAST_MOVEMENT = 1.0  # pixels: what moves less counts as standing still
WAY_BACK = 1.0  # pixels: a point that returns to farther from its start was lost on the way
MOST_LOST = 0.3  # of the points that moved or were lost


def motion_magnitude(
    first: Float[Tensor, "3 h w"],
    second: Float[Tensor, "3 h w"],
    least: float = LEAST_MOVEMENT,
    checked: bool = False,
) -> float:
    """Mean displacement in pixels of the corners that move by more than `least`, else 0.

    Algorithm 1 of Pix2Gif (Kandala et al. 2024) for pictures in [-1, 1]; as there, points that were lost on
    the way count as they are. With `checked`, which is ours, points are followed back too: those that do not
    return count for nothing, and where many are lost the motion is 0, for nothing is known of it.
    """
    return motion_magnitudes(torch.stack([first, second]), [(0, 1)], least, checked)[0]


@torch.no_grad()
def motion_magnitudes(
    frames: Float[Tensor, "f 3 h w"],
    pairs: Sequence[tuple[int, int]],
    least: float = LEAST_MOVEMENT,
    checked: bool = False,
) -> list[float]:
    """`motion_magnitude` from the first to the second frame of each pair, all of them followed at once."""
    grey = torch.stack([to_grey(frame) for frame in frames])
    corners = {first: shi_tomasi(grey[first]) for first in dict.fromkeys(first for first, _ in pairs)}
    starts = pad_sequence([corners[first] for first, _ in pairs], batch_first=True)
    real = pad_sequence([torch.ones(len(corners[first])) for first, _ in pairs], batch_first=True).bool()
    if not real.any():
        return [0.0] * len(pairs)
    before, after = (grey[list(numbers)] for numbers in zip(*pairs, strict=True))
    found = track(before, after, starts)
    lengths = (found - starts).norm(dim=-1)
    moving = (lengths > least) & real
    if checked:
        lost = ((track(after, before, found) - starts).norm(dim=-1) > WAY_BACK) & real
        known = lost.sum(dim=1) <= MOST_LOST * (moving | lost).sum(dim=1)
        moving &= ~lost & known[:, None]
    means = (lengths * moving).sum(dim=1) / moving.sum(dim=1).clamp(min=1)
    return means.tolist()


def to_grey(picture: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
    """0 to 255 in whole numbers."""
    return torch.einsum("c,chw->hw", GREY, (picture.float().cpu() + 1) * 127.5).round().clamp(0, 255)
