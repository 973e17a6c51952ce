"""Text of each frame's own: tokens made from the prompt, different ones for every frame."""

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from giftune.attention.frame_tokens import Join
from giftune.errors import InputError
from giftune.unet.frame_code import frame_code


class FrameTokens(nn.Module):
    """From a prompt's tokens to `num_tokens` more for each frame; our own design.

    HARIVO (Kwon et al. 2024) generates text tokens for each frame and gives them to cross-attention beside
    the prompt's; how, and how many, is not published. Ours are learnt queries, one set for all frames, with
    the sinusoidal code of the frame; `num_layers` pre-norm transformer layers in which they see each other
    and the prompt; and a layer norm, as at the end of CLIP's text encoder. `join` says how cross-attention
    takes them in, where they change nothing at first (`giftune.attention.frame_tokens`). Raises `InputError`
    for settings out of range.
    """

    def __init__(
        self,
        width: int,
        num_tokens: int = 4,
        join: Join = "concat",
        num_layers: int = 2,
        num_heads: int = 8,
    ) -> None:
        super().__init__()
        if num_tokens < 1 or num_layers < 1:
            raise InputError(f"num_tokens is {num_tokens}, num_layers {num_layers}: both must be positive.")
        if width % 2 or width % num_heads:
            raise InputError(f"width is {width}, it must be even and a multiple of num_heads ({num_heads}).")
        self.num_tokens, self.join, self.num_heads = num_tokens, join, num_heads
        self.queries = nn.Parameter(torch.empty(num_tokens, width))
        nn.init.normal_(self.queries)
        layer = nn.TransformerDecoderLayer(
            width, num_heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerDecoder(layer, num_layers, nn.LayerNorm(width))
        for parameter in self.layers.parameters():  # the layers are copies of one, and began alike
            if parameter.ndim > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, text: Float[Tensor, "b n d"], num_frames: int) -> Float[Tensor, "b f m d"]:
        code = frame_code(num_frames, text.shape[-1]).to(self.queries)
        queries = rearrange(self.queries + code[:, None], "f m d -> (f m) d")
        tokens = self.layers(repeat(queries, "q d -> b q d", b=len(text)), text)
        return rearrange(tokens, "b (f m) d -> b f m d", f=num_frames)

    @property
    def architecture(self) -> str:
        """What is built, as metadata for trained weights."""
        return f"{self.join} {self.num_tokens}, {len(self.layers.layers)} layers, {self.num_heads} heads"
