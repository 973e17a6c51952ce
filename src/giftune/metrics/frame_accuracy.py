"""Frame accuracy: in how many frames does the new prompt win over the old one?"""

from jaxtyping import Float
from torch import Tensor

from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.clip_network import ImageText


def frame_accuracy(images: Float[Tensor, "f d"], texts: Float[Tensor, "2 d"]) -> Float[Tensor, ""]:
    """Share of frames nearer to the second text than to the first; a tie is not nearer."""
    source, target = (images @ texts.T).unbind(dim=1)
    return (target > source).float().mean()


class FrameAccuracy(ClipMean):
    """Qi et al. 2023 (FateZero), "Fram-Acc": the softmax over both prompts prefers the target; ViT-B/32."""

    higher_is_better = True
    unit = "share of frames"

    def __init__(self, clip: ImageText) -> None:
        super().__init__()
        self.clip, self.backbone = clip, clip.name

    def update(self, edited: Float[Tensor, "..."], source_prompt: str, prompt: str) -> None:
        require_frames("edited", edited)
        texts = self.clip.texts([source_prompt, prompt])
        self.record(frame_accuracy(self.clip.images(edited, "bottom_square"), texts))
