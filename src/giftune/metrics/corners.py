"""Corners worth following (Shi and Tomasi 1994)."""

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d, pad

SOBEL = (0.25, 0.5, 0.25)


def shi_tomasi(
    grey: Float[Tensor, "h w"],
    max_corners: int = 100,
    quality: float = 0.1,
    min_distance: float = 7.0,
    block: int = 7,
) -> Float[Tensor, "n 2"]:
    """(x, y) of the best corners, the strongest first, at least `min_distance` apart; there may be none.

    A corner is a local maximum of the smaller eigenvalue of the gradients' second moments over a `block`, of
    at least `quality` times the best one (eq. 5 of the paper; Pix2Gif's parameters).
    """
    strength = smaller_eigenvalue(grey, block)
    peaks = strength == rearrange(max_pool2d(strength[None], 3, stride=1, padding=1), "1 h w -> h w")
    peaks &= strength > quality * strength.max()
    peaks[[0, -1]] = False
    peaks[:, [0, -1]] = False
    rows, columns = peaks.nonzero(as_tuple=True)
    order = strength[rows, columns].argsort(descending=True, stable=True)
    points = torch.stack([columns, rows], dim=1)[order].float()
    near = torch.cdist(points, points) < min_distance
    left = torch.ones(len(points), dtype=torch.bool)
    kept: list[int] = []
    while left.any() and len(kept) < max_corners:
        best = int(left.int().argmax())
        kept.append(best)
        left &= ~near[best]
        left[best] = False
    return points[kept]


def smaller_eigenvalue(grey: Float[Tensor, "h w"], block: int = 7) -> Float[Tensor, "h w"]:
    """Of the mean over a `block` of g g^T, where g is Sobel's gradient per pixel."""
    dx, dy = gradients(grey, SOBEL)
    products = pad(torch.stack([dx * dx, dx * dy, dy * dy])[None], (block // 2,) * 4, mode="reflect")
    xx, xy, yy = avg_pool2d(products, block, stride=1)[0]
    return (xx + yy) / 2 - (((xx - yy) / 2).square() + xy.square()).sqrt()


def gradients(
    grey: Float[Tensor, "*b h w"], smooth: tuple[float, float, float]
) -> tuple[Float[Tensor, "*b h w"], Float[Tensor, "*b h w"]]:
    """Along x and y, per pixel, smoothed across."""
    padded = pad(grey[None], (1, 1, 1, 1), mode="reflect")[0]
    before, here, after = smooth
    across = before * padded[..., :-2, :] + here * padded[..., 1:-1, :] + after * padded[..., 2:, :]
    along = before * padded[..., :-2] + here * padded[..., 1:-1] + after * padded[..., 2:]
    return (across[..., 2:] - across[..., :-2]) / 2, (along[..., 2:, :] - along[..., :-2, :]) / 2
