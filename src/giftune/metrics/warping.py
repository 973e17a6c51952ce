"""Moving pictures along optical flow, and finding what cannot be followed; flow is (x, y) in pixels."""

import torch
from einops import rearrange, reduce
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import grid_sample


def warp(maps: Float[Tensor, "n c h w"], flow: Float[Tensor, "n 2 h w"]) -> Float[Tensor, "n c h w"]:
    """W(x)(p) = x(p + flow(p)), bilinear, 0 outside."""
    size = torch.tensor([flow.shape[3], flow.shape[2]]).to(flow)
    there = rearrange(_grid(flow) + flow, "n c h w -> n h w c")
    return grid_sample(maps, 2 * (there + 0.5) / size - 1, align_corners=False)


def visible(forward: Float[Tensor, "n 2 h w"], backward: Float[Tensor, "n 2 h w"]) -> Bool[Tensor, "n h w"]:
    """Pixels that `forward` leads to a place from which `backward` leads home again (Ruder et al. 2016).

    Left out are occlusions, |f + W(b)|^2 > 0.01 (|f|^2 + |W(b)|^2) + 0.5; motion boundaries,
    |grad u|^2 + |grad v|^2 > 0.01 |f|^2 + 0.002; and what leaves the picture.
    """
    home = warp(backward, forward)
    occluded = _square(forward + home) > 0.01 * (_square(forward) + _square(home)) + 0.5
    boundary = _square(_slope(forward)) > 0.01 * _square(forward) + 0.002
    edge = torch.tensor([forward.shape[3] - 1, forward.shape[2] - 1]).to(forward)
    there = rearrange(_grid(forward) + forward, "n c h w -> n h w c")
    inside = ((there >= 0) & (there <= edge)).all(dim=-1)
    return ~occluded & ~boundary & inside


def reverse(forward: Float[Tensor, "n 2 h w"]) -> Float[Tensor, "n 2 h w"]:
    """The backward flow that a forward flow implies: every pixel leaves its negative where it arrives.

    Where several arrive the fastest stays, being in front of what stands still behind it; where none arrives
    the flow is 0. Arrival counts for the four pixels around it.
    """
    n, _, h, w = forward.shape
    there = _grid(forward) + forward
    speed = rearrange(_square(forward), "n h w -> n (h w)")
    values = rearrange(-forward, "n c h w -> n c (h w)")
    corners = []
    for dx in (0, 1):
        for dy in (0, 1):
            x, y = there[:, 0].floor().long() + dx, there[:, 1].floor().long() + dy
            # an exact arrival has no further neighbours
            near = ((x - there[:, 0]).abs() < 1) & ((y - there[:, 1]).abs() < 1)
            inside = near & (x >= 0) & (x < w) & (y >= 0) & (y < h)
            corners.append(rearrange(torch.where(inside, y * w + x, h * w), "n h w -> n (h w)"))
    fastest = speed.new_full((n, h * w + 1), -1.0)
    for target in corners:
        fastest.scatter_reduce_(1, target, speed, "amax")
    total, count = values.new_zeros(n, 2, h * w + 1), values.new_zeros(n, h * w + 1)
    for target in corners:
        wins = (speed == fastest.gather(1, target)).to(values)
        total.scatter_add_(2, rearrange(target, "n m -> n 1 m").expand_as(values), values * wins[:, None])
        count.scatter_add_(1, target, wins)
    mean = total / count.clamp(min=1)[:, None]
    return rearrange(mean[..., : h * w], "n c (h w) -> n c h w", h=h)


def _grid(flow: Float[Tensor, "n 2 h w"]) -> Float[Tensor, "2 h w"]:
    h, w = flow.shape[-2:]
    y, x = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    return torch.stack([x, y]).to(flow)


def _square(maps: Float[Tensor, "n c h w"]) -> Float[Tensor, "n h w"]:
    return reduce(maps.square(), "n c h w -> n h w", "sum")


def _slope(flow: Float[Tensor, "n 2 h w"]) -> Float[Tensor, "n 4 h w"]:
    """Differences to the next pixel, 0 at the last one."""
    dx = torch.diff(flow, dim=3, append=flow[:, :, :, -1:])
    dy = torch.diff(flow, dim=2, append=flow[:, :, -1:])
    return torch.cat([dx, dy], dim=1)
