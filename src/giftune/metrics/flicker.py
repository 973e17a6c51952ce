"""Flicker: change from frame to frame, all of it, or only where nothing should move."""

from jaxtyping import Bool, Float
from torch import Tensor

from giftune.metrics._background import background
from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean


def flicker(
    frames: Float[Tensor, "f 3 h w"], still: Bool[Tensor, "f h w"] | None = None
) -> Float[Tensor, ""]:
    """Mean absolute difference of consecutive frames in grey levels, over pixels that are still in both."""
    change = 127.5 * frames.diff(dim=0).abs().mean(dim=1)
    return change.mean() if still is None else change[still[:-1] & still[1:]].mean()


class Flicker(ClipMean):
    """255 x (1 - temporal flickering of VBench, Huang et al. 2024), meant for clips without motion."""

    higher_is_better = False
    unit = "grey levels"

    def update(self, edited: Float[Tensor, "..."]) -> None:
        require_frames("edited", edited, least=2)
        self.record(flicker(edited))


class BackgroundFlicker(ClipMean):
    """The same outside the subject, for clips from a camera that stands still; our own definition."""

    higher_is_better = False
    unit = "grey levels"

    def update(self, edited: Float[Tensor, "..."], mask: Float[Tensor, "..."]) -> None:
        require_frames("edited", edited, least=2)
        self.record(flicker(edited, background(mask, edited)))
