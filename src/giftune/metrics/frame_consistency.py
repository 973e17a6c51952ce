"""Frame consistency by CLIP, in each of the published definitions, which are not comparable."""

from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError
from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.clip_network import PooledImageText
from giftune.metrics.views import View


@dataclass(frozen=True)
class Definition:
    """`pooled` takes features before the projection, `floor` cuts cosines below it."""

    pairs: Literal["all", "adjacent"]
    scale: float
    view: View = "centre_crop"
    pooled: bool = False
    floor: float = -1.0


DEFINITIONS = {
    # Wu et al. 2023, section 5.2; LOVEU-TGVE-2023's script, which squeezes frames; ViT-L/14
    "tune_a_video": Definition("all", 100.0, "square"),
    # Qi et al. 2023, "Tem-Con"; ViT-B/32
    "fatezero": Definition("adjacent", 1.0, "bottom_square"),
    # Sun et al. 2024 (V2VBench); ViT-L/14
    "v2vbench": Definition("adjacent", 1.0, pooled=True, floor=0.0),
    # Yang et al. 2025, "CLIP-F"; AnyV2V, which does not name its backbone, is this / 100
    "videograin": Definition("adjacent", 100.0),
    # VideoCoF-Bench; ViT-L/14
    "videocof": Definition("adjacent", 1.0),
}


def mean_cosine(
    vectors: Float[Tensor, "f d"], pairs: Literal["all", "adjacent"], floor: float = -1.0
) -> Float[Tensor, ""]:
    """Of unit vectors: over all pairs of different frames, or over neighbours only."""
    if pairs == "adjacent":
        return (vectors[:-1] * vectors[1:]).sum(dim=1).clamp(min=floor).mean()
    different = ~torch.eye(len(vectors), dtype=torch.bool)
    return (vectors @ vectors.T)[different].clamp(min=floor).mean()


class FrameConsistency(ClipMean):
    """How alike the frames of the edit look to CLIP; a frozen clip scores best.

    `definition` is one of `DEFINITIONS`. Values over neighbours are 2 to 5 points above those over all pairs.
    """

    higher_is_better = True

    def __init__(self, clip: PooledImageText, definition: str = "tune_a_video") -> None:
        super().__init__()
        if definition not in DEFINITIONS:
            raise InputError(f"definition is {definition!r}, it must be one of {', '.join(DEFINITIONS)}.")
        self.clip, self.definition, self.backbone = clip, DEFINITIONS[definition], clip.name
        self.unit = "100 cos" if self.definition.scale == 100 else "cos"

    def update(self, edited: Float[Tensor, "..."]) -> None:
        require_frames("edited", edited, least=2)
        embed = self.clip.pooled if self.definition.pooled else self.clip.images
        cosine = mean_cosine(
            embed(edited, self.definition.view), self.definition.pairs, self.definition.floor
        )
        self.record(self.definition.scale * cosine)
