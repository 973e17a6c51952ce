"""The motion that is asked for, told to every token of the text."""

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

LEVELS = 1024


class MotionEmbedding(nn.Module):
    """c_L = c_T + gain c_M with c_M a row of a learned table (Kandala et al. 2024, Pix2Gif, section 3.2).

    Rows start at zero, so that the text is as it was; this is ours. So is `gain`: Adam moves every number by
    the learning rate at most, so rows that start at zero are `gain` times as fast at the size of a text.
    """

    def __init__(self, width: int, levels: int = LEVELS, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = gain
        self.table = nn.Embedding(levels, width)
        nn.init.zeros_(self.table.weight)

    def forward(self, text: Float[Tensor, "b n d"], motion: Int[Tensor, "b"]) -> Float[Tensor, "b n d"]:
        """`motion` is a magnitude in whole pixels."""
        return text + self.gain * rearrange(self.table(motion), "b d -> b 1 d")
