"""Self-attention maps that stay alike from frame to frame."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor


def attention_maps(
    query: Float[Tensor, "bf n c"], key: Float[Tensor, "bf n c"], num_heads: int, scale: float
) -> Float[Tensor, "bf heads n n"]:
    """softmax(scale Q K^T) of each frame and head, written out, since fused attention does not return it."""
    query, key = (rearrange(x, "b n (h d) -> b h n d", h=num_heads) for x in (query, key))
    return (scale * query @ key.mT).softmax(dim=-1)


def attention_consistency(
    maps: Sequence[Float[Tensor, "b f heads _n _n"]], weights: Sequence[float] | None = None
) -> Float[Tensor, ""]:
    """L_TRSA = sum over layers of weight * mean (A^f - A^{f+1})^2 over clips, pairs, heads, queries and keys.

    HARIVO (Kwon et al. 2024, figure 3b) asks for maps alike across frames; its formula is not published. This
    form is ours, after the one that a later paper (DPIDM) cites it for, with its weight 0.5 of every layer.
    """
    weights = [0.5] * len(maps) if weights is None else weights
    parts = [weight * layer.diff(dim=1).square().mean() for layer, weight in zip(maps, weights, strict=True)]
    return torch.stack(parts).sum()
