"""Attention in one kernel, without a matrix of scores in memory."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def fused_attention(
    query: Float[Tensor, "b h n d"],
    key: Float[Tensor, "b h m d"],
    value: Float[Tensor, "b h m d"],
    scale: float | None = None,
) -> Float[Tensor, "b h n d"]:
    """softmax(scale query key^T) value of each head; `scale` is 1 / sqrt(d) unless given.

    On the CPU half precision is computed in float32: torch's own kernel for it is slower there, most of all
    backwards and for few frames.
    """
    if query.device.type != "cpu" or query.dtype not in (torch.bfloat16, torch.float16):
        return F.scaled_dot_product_attention(query, key, value, scale=scale)
    with torch.autocast("cpu", enabled=False):  # it would narrow them again
        seen = F.scaled_dot_product_attention(query.float(), key.float(), value.float(), scale=scale)
    return seen.to(query.dtype)
