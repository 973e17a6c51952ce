"""Background depth error: has what lies outside the subject kept its shape in space?"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from giftune.metrics._background import background
from giftune.metrics._require import require_frames, require_pair, require_truth
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.depth_network import DepthNetwork

FLAT = 1e-6  # a spread below this is no depth


def depth_error(
    depth: Float[Tensor, "f h w"], truth: Float[Tensor, "f h w"], outside: Bool[Tensor, "f h w"]
) -> Float[Tensor, ""]:
    """Mean |d - d*| over the background of each frame, after each lost its median and its mean deviation."""
    errors = [
        (_align(d[where]) - _align(t[where])).abs().mean()
        for d, t, where in zip(depth, truth, outside, strict=True)
    ]
    return torch.stack(errors).mean()


def _align(values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Ranftl et al. 2020, eq. 5: (d - median) / mean |d - median|; so a d + b equals d for a > 0."""
    centred = values - values.quantile(0.5)
    return centred / centred.abs().mean().clamp(min=FLAT)


class BackgroundDepthError(ClipMean):
    """The depth of the edit against that of the source, both as one network sees them."""

    higher_is_better = False
    unit = "mean deviations"

    def __init__(self, depth_network: DepthNetwork) -> None:
        super().__init__()
        self.depth_network, self.backbone = depth_network, depth_network.name

    def update(
        self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."], mask: Float[Tensor, "..."]
    ) -> None:
        require_pair(source, edited)
        outside, measure = background(mask, edited), self.depth_network.measure
        self.record(depth_error(measure(edited), measure(source), outside))


class TrueBackgroundDepthError(ClipMean):
    """The depth of the edit, as a network sees it, against the true inverse depth of the source."""

    higher_is_better = False
    unit = "mean deviations"

    def __init__(self, depth_network: DepthNetwork) -> None:
        super().__init__()
        self.depth_network, self.backbone = depth_network, f"{depth_network.name}, true depth"

    def update(
        self, edited: Float[Tensor, "..."], depth: Float[Tensor, "..."], mask: Float[Tensor, "..."]
    ) -> None:
        require_frames("edited", edited)
        require_truth("depth", depth, (len(edited), *edited.shape[2:]))
        outside = background(mask, edited)
        self.record(depth_error(self.depth_network.measure(edited), depth, outside))
