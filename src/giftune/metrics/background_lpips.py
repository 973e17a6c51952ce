"""Background LPIPS: does what lies outside the subject still look the same?"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from giftune.metrics._background import background, without_subject
from giftune.metrics._require import require_pair
from giftune.metrics.clip_mean import ClipMean


def mean_distance(
    distance: Callable[[Tensor, Tensor], Tensor],
    first: Float[Tensor, "f 3 h w"],
    second: Float[Tensor, "f 3 h w"],
) -> Float[Tensor, ""]:
    """Mean over frames, one at a time."""
    pairs = zip(first.clamp(-1, 1).split(1), second.clamp(-1, 1).split(1), strict=True)
    return sum((distance(a, b) for a, b in pairs), start=first.new_zeros(())) / len(first)


class BackgroundLpips(ClipMean):
    """Zhang et al. 2018 on whole frames, after the source's subject was put back into the edit."""

    higher_is_better = False

    def __init__(self, lpips: Metric) -> None:
        super().__init__()
        self.lpips, self.backbone = lpips, "LPIPS AlexNet"

    def update(
        self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."], mask: Float[Tensor, "..."]
    ) -> None:
        require_pair(source, edited)
        kept = without_subject(edited, source, background(mask, edited))
        pair = source.to(self.lpips.device), kept.to(self.lpips.device)
        self.record(mean_distance(self.lpips, *pair).cpu())
