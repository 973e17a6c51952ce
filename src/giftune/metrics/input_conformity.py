"""Is what the given picture shows still there in every frame?"""

from jaxtyping import Float
from torch import Tensor

from giftune.metrics.clip_network import ImageText


def input_conformity(
    picture: Float[Tensor, "3 h w"], frames: Float[Tensor, "f 3 h w"], clip: ImageText
) -> float:
    """Mean cosine of the picture's features with those of each frame; 1 for a frozen clip.

    After PIC (DynamiCrafter, Xing et al. 2024), mean of 1 - DreamSim, where DreamSim is one minus a cosine of
    features tuned on human choices; here they are those of CLIP, so that values do not compare with papers.
    """
    features = clip.images(picture[None], "square"), clip.images(frames, "square")
    return float((features[0] @ features[1].T).mean())
