"""How far things move between two pictures, as one number."""

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.metrics.corners import shi_tomasi
from giftune.metrics.lucas_kanade import track

GREY = torch.tensor([0.299, 0.587, 0.114])  # ITU-R BT.601, as OpenCV's
LEAST_MOVEMENT = 1.0  # pixels: what moves less counts as standing still
WAY_BACK = 1.0  # pixels: a point that returns to farther from its start was lost on the way
MOST_LOST = 0.3  # of the points that moved or were lost


@torch.no_grad()
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
    before, after = to_grey(first), to_grey(second)
    corners = shi_tomasi(before)
    if not len(corners):
        return 0.0
    found = track(before, after, corners)
    lengths = (found - corners).norm(dim=1)
    moving = lengths > least
    if checked and moving.any():
        lost = (track(after, before, found) - corners).norm(dim=1) > WAY_BACK
        if lost.sum() > MOST_LOST * (moving | lost).sum():
            return 0.0
        moving &= ~lost
    return float(lengths[moving].mean()) if moving.any() else 0.0


def to_grey(picture: Float[Tensor, "3 h w"]) -> Float[Tensor, "h w"]:
    """0 to 255 in whole numbers."""
    return torch.einsum("c,chw->hw", GREY, (picture.float().cpu() + 1) * 127.5).round().clamp(0, 255)
