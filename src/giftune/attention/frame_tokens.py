"""Cross-attention to the prompt and to tokens of each frame's own."""

from typing import Literal

import torch
from diffusers.models.attention_processor import Attention
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from giftune.attention.patterns import Pattern
from giftune.attention.processor import CrossFrameAttnProcessor, attend
from giftune.errors import InputError

Join = Literal["concat", "decoupled"]
GAIN = 10.0


class FrameTokenAttnProcessor(nn.Module, CrossFrameAttnProcessor):
    """Expects the tokens of all frames, frame after frame, behind the text of their clip.

    `join` "concat" is out = (1 - g) Attn(q, text) + g Attn(q, [text; tokens]) with g = tanh(gain gate), and
    "decoupled" out = Attn(q, text) + gain gate Attn(q, tokens). Both forms are ours; the gate, one a layer,
    starts at 0, which is the image model to the last bit. The gain is for Adam, which would take thousands of
    steps to open a gate by as little as the learning rate. A gate on the logits of the further columns would
    be the identity only at minus infinity, where it has no gradient.
    """

    def __init__(self, pattern: Pattern, num_tokens: int, join: Join = "concat") -> None:
        super().__init__()
        self.pattern, self.num_tokens, self.join = pattern, num_tokens, join
        self.gate = nn.Parameter(torch.zeros(()))

    def __call__(
        self,
        attn: Attention,
        hidden_states: Float[Tensor, "bf n c"],
        encoder_hidden_states: Float[Tensor, "b n_text c_text"] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        num_frames: int | None = None,
    ) -> Float[Tensor, "bf n c"]:
        del temb  # as in `CrossFrameAttnProcessor`
        if attention_mask is not None:
            raise InputError("attention_mask is given, but attention across frames takes no mask")
        if num_frames is None or encoder_hidden_states is None:
            raise InputError("num_frames is missing: call an inflated U-Net through giftune's VideoUNet")
        query = rearrange(attn.to_q(hidden_states), "(b f) n c -> b f n c", f=num_frames)
        key, value = (project(encoder_hidden_states) for project in (attn.to_k, attn.to_v))
        num_words = key.shape[1] - num_frames * self.num_tokens
        words, values = (rearrange(x[:, :num_words], "b k c -> b 1 k c") for x in (key, value))
        own, own_values = (
            rearrange(x[:, num_words:], "b (f m) c -> b f m c", f=num_frames) for x in (key, value)
        )
        output = attend(query, words, values, attn)
        if self.join == "concat":
            both = attend(query, _beside(words, own), _beside(values, own_values), attn)
            output = output + (GAIN * self.gate).tanh() * (both - output)
        else:
            output = output + GAIN * self.gate * attend(query, own, own_values, attn)
        projection, dropout = attn.to_out
        return dropout(projection(rearrange(output, "b f n c -> (b f) n c")))


def _beside(words: Float[Tensor, "b 1 k c"], own: Float[Tensor, "b f m c"]) -> Float[Tensor, "b f km c"]:
    return torch.cat([repeat(words, "b 1 k c -> b f k c", f=own.shape[1]), own], dim=2)
