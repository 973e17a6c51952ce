"""Text and motion as a small picture, for the network that draws the flow."""

from math import isqrt

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError

KERNEL, PADDING = 3, 1
STRIDES = (3, 2, 4, 1)  # the published one first; the others for texts of other widths


class MotionInjection(nn.Module):
    """A convolution along the text's width that takes its tokens for channels (Pix2Gif, injection module).

    77 tokens of width 768 become 16 channels of 16 x 16; of other widths the map is the square that a stride
    allows, and it is resized to what the flow network needs.
    """

    def __init__(self, num_tokens: int, width: int, channels: int = 16) -> None:
        super().__init__()
        stride = _stride(width)
        length = _length(width, stride)
        self.side = isqrt(length)
        self.linear = nn.Conv1d(num_tokens, channels, KERNEL, stride, PADDING)
        self.norm = nn.LayerNorm((length, channels))

    def forward(self, text: Float[Tensor, "b n d"], height: int, width: int) -> Float[Tensor, "b c h w"]:
        hidden = self.norm(rearrange(self.linear(text), "b c k -> b k c"))
        picture = rearrange(F.relu(hidden), "b (h w) c -> b c h w", h=self.side)
        if (height, width) == (self.side, self.side):
            return picture
        return F.interpolate(picture, (height, width), mode="bilinear")


def _length(width: int, stride: int) -> int:
    return (width + 2 * PADDING - KERNEL) // stride + 1


def _stride(width: int) -> int:
    for stride in STRIDES:
        if isqrt(_length(width, stride)) ** 2 == _length(width, stride):
            return stride
    raise InputError(f"the text is {width} wide, of which the injection module can make no square picture.")
