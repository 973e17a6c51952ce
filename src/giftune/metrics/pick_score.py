"""PickScore: which picture of this prompt would people choose?"""

from jaxtyping import Float
from torch import Tensor

from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.clip_network import ImageText


def pick_score(
    images: Float[Tensor, "f d"], text: Float[Tensor, "1 d"], logit_scale: float
) -> Float[Tensor, ""]:
    """The network's own logit scale times the cosine, mean over frames; of unit vectors."""
    return logit_scale * (images @ text.T).mean()


class PickScore(ClipMean):
    """Kirstain et al. 2023, as LOVEU-TGVE and V2VBench use it; around 20."""

    higher_is_better = True
    unit = "logit"

    def __init__(self, network: ImageText) -> None:
        super().__init__()
        self.network, self.backbone = network, network.name

    def update(self, edited: Float[Tensor, "..."], prompt: str) -> None:
        require_frames("edited", edited)
        images, text = self.network.images(edited, "square"), self.network.texts([prompt])
        self.record(pick_score(images, text, self.network.logit_scale))
