"""Background PSNR: is what lies outside the subject untouched, pixel by pixel?"""

from jaxtyping import Bool, Float
from torch import Tensor

from giftune.metrics._background import background, mean_outside
from giftune.metrics._require import require_pair
from giftune.metrics.clip_mean import ClipMean

CEILING = 100.0  # dB of identical pictures, which have no finite value


def background_psnr(
    source: Float[Tensor, "f 3 h w"], edited: Float[Tensor, "f 3 h w"], outside: Bool[Tensor, "f h w"]
) -> Float[Tensor, ""]:
    """-10 log10 of each frame's squared error over its background, mean over frames; colours in [0, 1]."""
    error = mean_outside(((edited - source) / 2).square().mean(dim=1), outside)
    return (-10 * error.log10()).clamp(max=CEILING).mean()


class BackgroundPsnr(ClipMean):
    """PSNR outside the subject, as in FiVE-Bench (2025), over background pixels only."""

    higher_is_better = True
    unit = "dB"

    def update(
        self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."], mask: Float[Tensor, "..."]
    ) -> None:
        require_pair(source, edited)
        self.record(background_psnr(source, edited, background(mask, edited)))
