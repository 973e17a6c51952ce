"""Loop seam: the jump that a viewer sees when the GIF starts again."""

from jaxtyping import Float
from torch import Tensor

from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean


def loop_seam(frames: Float[Tensor, "f 3 h w"]) -> Float[Tensor, ""]:
    """Mean absolute difference of the last and the first frame, in grey levels."""
    return 127.5 * (frames[-1] - frames[0]).abs().mean()


class LoopSeam(ClipMean):
    """From the last frame to the first, in the unit of flicker, to be read beside it; our own definition."""

    higher_is_better = False
    unit = "grey levels"

    def update(self, edited: Float[Tensor, "..."]) -> None:
        require_frames("edited", edited, least=2)
        self.record(loop_seam(edited))
