"""The words of a prompt, as each frame of a clip takes them."""

import math
from typing import NamedTuple

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from giftune.unet.frame_code import frame_code

CODE = 32  # channels of a frame's code
GAIN = math.sqrt(2)  # the code's sines and cosines then have unit variance


class ClipWords(NamedTuple):
    """What a motion transformer is told of a clip: its words in each frame, and the size of its latents."""

    words: Float[Tensor, "b f r"]
    height: int
    width: int


class FrameWords(nn.Module):
    """(A sum of words) * (B code of the frame), elementwise: `rank` channels for each frame; our own design.

    Words are `giftune.backbone.text.embed_words`: a text encoder that learnt with images hardly tells verbs
    apart. A product and not a sum, because a verb says something else in every frame.
    """

    def __init__(self, width: int, rank: int = 512) -> None:
        super().__init__()
        self.rank = rank
        self.from_words, self.from_frame = nn.Linear(width, rank), nn.Linear(CODE, rank)
        for linear in (self.from_words, self.from_frame):
            nn.init.normal_(linear.weight, std=linear.in_features**-0.5)

    def forward(self, words: Float[Tensor, "b n d"], num_frames: int) -> Float[Tensor, "b f r"]:
        """`words` are zero where a prompt has ended."""
        said = self.from_words(words.sum(dim=1) / 2)
        moments = self.from_frame(GAIN * frame_code(num_frames, CODE).to(words))
        return rearrange(said, "b r -> b 1 r") * moments
