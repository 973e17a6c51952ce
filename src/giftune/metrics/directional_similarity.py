"""CLIP directional similarity: does the picture change the way the text changes?"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from giftune.metrics._require import require_pair
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.clip_network import ImageText


def directional_similarity(
    source: Float[Tensor, "f d"], edited: Float[Tensor, "f d"], texts: Float[Tensor, "2 d"]
) -> Float[Tensor, ""]:
    """cos(E(edited) - E(source), E(prompt) - E(source prompt)), mean over frames; `texts` of both prompts."""
    return cosine_similarity(edited - source, texts[1:] - texts[:1], dim=1).mean()


class DirectionalSimilarity(ClipMean):
    """Gal et al. 2022 (StyleGAN-NADA), with unit vectors as in Brooks et al. 2023 (InstructPix2Pix).

    0 when nothing was changed, in the pictures or in the prompt.
    """

    higher_is_better = True
    unit = "cos"

    def __init__(self, clip: ImageText) -> None:
        super().__init__()
        self.clip, self.backbone = clip, clip.name

    def update(
        self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."], source_prompt: str, prompt: str
    ) -> None:
        require_pair(source, edited)
        texts = self.clip.texts([source_prompt, prompt])
        self.record(directional_similarity(self.clip.images(source), self.clip.images(edited), texts))
