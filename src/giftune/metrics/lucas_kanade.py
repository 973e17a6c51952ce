"""Where points of one picture are in the next (Lucas and Kanade 1981), coarse to fine (Bouguet 2001)."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample, pad

from giftune.metrics.corners import gradients

BINOMIAL = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)
SCHARR = (3 / 16, 10 / 16, 3 / 16)
LEAST_TEXTURE = 0.1  # of the gradients' second moments, for grey in 0 to 255: OpenCV's 1e-4 in its own units


def track(
    first: Float[Tensor, "b h w"],
    second: Float[Tensor, "b h w"],
    points: Float[Tensor, "b n 2"],
    window: int = 15,
    max_level: int = 2,
    iterations: int = 10,
    epsilon: float = 0.03,
) -> Float[Tensor, "b n 2"]:
    """The (x, y) at which `points` of `first`, in 0 to 255, are found in `second`; Pix2Gif's parameters.

    Each level of the pyramid halves the pictures, as long as they stay larger than the `window`. A point
    without texture around it stays where the coarser levels put it. Every point goes its way alone, so that
    many pairs of pictures at once are only faster.
    """
    firsts, seconds = _pyramid(first, window, max_level), _pyramid(second, window, max_level)
    moved = torch.zeros_like(points)
    for level in reversed(range(len(firsts))):
        start = points / 2**level
        moved = _refined(firsts[level], seconds[level], start, 2 * moved, window, iterations, epsilon)
    return points + moved


def _refined(
    first: Float[Tensor, "b h w"],
    second: Float[Tensor, "b h w"],
    points: Float[Tensor, "b n 2"],
    moved: Float[Tensor, "b n 2"],
    window: int,
    iterations: int,
    epsilon: float,
) -> Float[Tensor, "b n 2"]:
    """Gauss-Newton steps on the squared difference of the two windows, until they are below `epsilon`."""
    margin = (window,) * 4
    seen, other = (pad(pictures[:, None], margin, mode="reflect") for pictures in (first, second))
    slopes = pad(torch.stack(gradients(first, SCHARR), dim=1), margin)
    grid, pixel = _grid(points, window, first)
    slope = rearrange(_sampled(slopes, grid), "b two n k -> b n two k")
    patch = _sampled(seen, grid)[:, 0]
    moments = slope @ slope.mT
    textured = torch.linalg.eigvalsh(moments)[..., 0] / window**2 >= LEAST_TEXTURE
    gain = torch.linalg.inv(torch.where(textured[..., None, None], moments, torch.eye(2))) @ slope
    active = textured.clone()
    for _ in range(iterations):
        difference = _sampled(other, grid + (pixel * moved)[:, :, None])[:, 0] - patch
        step = -(gain @ difference[..., None])[..., 0] * active[..., None]
        moved = moved + step
        active &= (step.norm(dim=-1) > epsilon) & _near(points + moved, second, window)
        if not active.any():
            break
    return moved


def _near(
    points: Float[Tensor, "b n 2"], pictures: Float[Tensor, "b h w"], window: int
) -> Bool[Tensor, "b n"]:
    """Whether points are still in the picture or a window's width before it; others have been lost."""
    size = torch.tensor([pictures.shape[2], pictures.shape[1]], dtype=points.dtype)
    return ((points >= -window) & (points < size)).all(dim=-1)


def _pyramid(grey: Float[Tensor, "b h w"], window: int, max_level: int) -> list[Float[Tensor, "b _ _"]]:
    levels = [grey]
    while len(levels) <= max_level and min((side + 1) // 2 for side in levels[-1].shape[1:]) > window:
        padded = pad(levels[-1][:, None], (2,) * 4, mode="reflect")[:, 0]
        _, h, w = levels[-1].shape
        rows = sum(
            (share * padded[:, i : i + h : 2] for i, share in enumerate(BINOMIAL)), start=torch.zeros(())
        )
        levels.append(
            sum(
                (share * rows[:, :, i : i + w : 2] for i, share in enumerate(BINOMIAL)), start=torch.zeros(())
            )
        )
    return levels


def _grid(
    points: Float[Tensor, "b n 2"], window: int, pictures: Float[Tensor, "b h w"]
) -> tuple[Float[Tensor, "b n k 2"], Float[Tensor, "2"]]:
    """A window about each point of a picture that gets a margin, for `grid_sample`; and a pixel's length."""
    reach = torch.arange(window, dtype=points.dtype) - window // 2
    offsets = torch.cartesian_prod(reach, reach).flip(1)  # rows first, as (x, y)
    places = rearrange(points, "b n two -> b n 1 two") + offsets + window
    size = torch.tensor([pictures.shape[2], pictures.shape[1]], dtype=points.dtype) + 2 * window
    return (2 * places + 1) / size - 1, 2 / size


def _sampled(maps: Float[Tensor, "b c h w"], grid: Float[Tensor, "b n k 2"]) -> Float[Tensor, "b c n k"]:
    return grid_sample(maps, grid, padding_mode="border", align_corners=False)
