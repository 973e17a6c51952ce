"""Background SSIM: has what lies outside the subject kept its structure?"""

from jaxtyping import Bool, Float
from torch import Tensor
from torchmetrics.functional.image import structural_similarity_index_measure

from giftune.errors import InputError
from giftune.metrics._background import background, mean_outside, require_some, without_subject
from giftune.metrics._require import require_pair
from giftune.metrics.clip_mean import ClipMean

RADIUS = 5  # of the Gaussian window with sigma 1.5: windows that leave the picture do not count


def background_ssim(
    source: Float[Tensor, "f 3 h w"], edited: Float[Tensor, "f 3 h w"], outside: Bool[Tensor, "f h w"]
) -> Float[Tensor, ""]:
    """Mean of the SSIM map over the background of each frame, then over frames."""
    kept = without_subject(edited, source, outside)
    _, similarity = structural_similarity_index_measure(
        (kept + 1) / 2, (source + 1) / 2, sigma=1.5, data_range=1.0, return_full_image=True
    )
    inner = slice(RADIUS, -RADIUS)
    return mean_outside(
        similarity.mean(dim=1)[:, inner, inner], require_some(outside[:, inner, inner])
    ).mean()


class BackgroundSsim(ClipMean):
    """Wang et al. 2004 outside the subject; windows that touch it see the source's subject in both clips."""

    higher_is_better = True

    def update(
        self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."], mask: Float[Tensor, "..."]
    ) -> None:
        require_pair(source, edited)
        if min(edited.shape[2:]) <= 2 * RADIUS:
            raise InputError(
                f"edited is {edited.shape[3]} x {edited.shape[2]} pixels, SSIM needs {2 * RADIUS + 1} a side."
            )
        self.record(background_ssim(source, edited, background(mask, edited)))
