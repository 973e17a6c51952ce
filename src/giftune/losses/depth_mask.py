"""Which part of a clip is its background, by depth alone."""

import torch
from jaxtyping import Float
from torch import Tensor


def otsu_threshold(values: Float[Tensor, "*shape"]) -> float:
    """The split of the values with the largest variance between its two sides (Otsu 1979, eq. 18).

    Every split is tried, without a histogram; the threshold lies midway between the two sides.
    """
    ordered = values.detach().flatten().cpu().double().sort().values
    below, above = ordered.cumsum(0)[:-1], ordered.flip(0).cumsum(0).flip(0)[1:]
    count = torch.arange(1, len(ordered), dtype=ordered.dtype)
    rest = len(ordered) - count
    between = count * rest * (below / count - above / rest).square()
    split = int((between * (ordered[1:] > ordered[:-1])).argmax())  # equal values stay together
    return float(ordered[split] + ordered[split + 1]) / 2


def background_mask(
    depth: Float[Tensor, "f h w"], quantile: float | None, softness: float
) -> Float[Tensor, "f h w"]:
    """1 where inverse depth is well below the threshold, 0 well above it, linear over `softness` between.

    The threshold is one for the whole clip: a quantile of its depth, or Otsu's for None.
    """
    if quantile is None:
        threshold = otsu_threshold(depth)
    else:
        ordered = depth.flatten().sort().values  # torch.quantile refuses as many values as a clip has
        threshold = float(ordered[min(int(quantile * len(ordered)), len(ordered) - 1)])
    return ((threshold - depth) / softness + 0.5).clamp(0, 1)
