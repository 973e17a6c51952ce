"""Textual faithfulness: does every frame show what the prompt says?"""

from jaxtyping import Float
from torch import Tensor

from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.clip_network import ImageText


def faithfulness(images: Float[Tensor, "f d"], text: Float[Tensor, "1 d"]) -> Float[Tensor, ""]:
    """100 x cosine, mean over frames; of unit vectors."""
    return 100 * (images @ text.T).mean()


class TextualFaithfulness(ClipMean):
    """100 x cosine of frame and prompt (Tune-A-Video, section 5.2; LOVEU-TGVE's clip_score_text; ViT-L/14).

    Not 2.5 max(cos, 0) of Hessel et al. 2021. Around 25 to 29 for ViT-L/14, 30 to 37 for ViT-B/32.
    """

    higher_is_better = True
    unit = "100 cos"

    def __init__(self, clip: ImageText) -> None:
        super().__init__()
        self.clip, self.backbone = clip, clip.name

    def update(self, edited: Float[Tensor, "..."], prompt: str) -> None:
        require_frames("edited", edited)
        self.record(faithfulness(self.clip.images(edited, "square"), self.clip.texts([prompt])))
