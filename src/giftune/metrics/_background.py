"""What lies outside the subject."""

import torch
from einops import rearrange
from jaxtyping import Bool, Float
from torch import Tensor

from giftune.errors import InputError
from giftune.metrics._require import require_truth

TRACE = 0.05  # of the subject in a pixel; soft edges belong to the subject


def background(mask: Float[Tensor, "..."], frames: Float[Tensor, "f 3 h w"]) -> Bool[Tensor, "f h w"]:
    """Where `mask`, the coverage of the subject, is 0; raises `InputError` if that is nowhere in a frame."""
    require_truth("mask", mask, (len(frames), *frames.shape[2:]))
    if not ((mask >= 0) & (mask <= 1)).all():
        raise InputError("mask has values outside of 0 (background) to 1 (subject).")
    outside = mask < TRACE
    return require_some(outside)


def require_some(outside: Bool[Tensor, "f h w"]) -> Bool[Tensor, "f h w"]:
    """Raises `InputError` for a frame in which nothing is outside."""
    empty = ~outside.any(dim=2).any(dim=1)
    if empty.any():
        raise InputError(f"mask leaves no background in frame {int(empty.int().argmax())}.")
    return outside


def without_subject(
    edited: Float[Tensor, "f 3 h w"], source: Float[Tensor, "f 3 h w"], outside: Bool[Tensor, "f h w"]
) -> Float[Tensor, "f 3 h w"]:
    """The edit with the source's own subject put back, so that neighbourhoods compare backgrounds only."""
    return torch.where(rearrange(outside, "f h w -> f 1 h w"), edited, source)


def mean_outside(maps: Float[Tensor, "f h w"], outside: Bool[Tensor, "f h w"]) -> Float[Tensor, " f"]:
    """Mean of each frame over its background."""
    return (maps * outside).sum(dim=(1, 2)) / outside.sum(dim=(1, 2))
