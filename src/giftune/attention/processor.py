"""Self-attention across frames, for U-Nets whose frames are folded into the batch."""

from collections import Counter
from collections.abc import Sequence
from itertools import groupby

import torch
from diffusers.models.attention_processor import Attention
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from giftune.attention.fused import fused_attention
from giftune.attention.patterns import Pattern
from giftune.errors import InputError


class CrossFrameAttnProcessor:
    """Lets each frame attend to the frames its pattern names; with text it is ordinary cross-attention.

    One class serves both, because diffusers drops `num_frames` for processors that do not declare it. The
    text may come once per clip instead of once per frame, which saves projecting it for each frame. Raises
    `InputError` without `num_frames` and with a mask.
    """

    # No default pattern, so that IP-Adapter loading, which rebuilds processors with `cls()`, fails loudly.
    def __init__(self, pattern: Pattern) -> None:
        self.pattern = pattern

    def __call__(
        self,
        attn: Attention,
        hidden_states: Float[Tensor, "bf n c"],
        encoder_hidden_states: Float[Tensor, "texts n_text c_text"] | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
        num_frames: int | None = None,
    ) -> Float[Tensor, "bf n c"]:
        del temb  # read only by the normalisation inside attention that `inflate` refuses
        if attention_mask is not None:
            raise InputError("attention_mask is given, but attention across frames takes no mask")
        if num_frames is None:
            raise InputError("num_frames is missing: call an inflated U-Net through giftune's VideoUNet")
        if encoder_hidden_states is None:
            context = _looked_at(hidden_states, self.pattern, num_frames)
        else:
            context = encoder_hidden_states
        query = rearrange(attn.to_q(hidden_states), "(b f) n c -> b f n c", f=num_frames)
        key, value = (
            rearrange(project(context), "(b r) k c -> b r k c", b=len(query))
            for project in (attn.to_k, attn.to_v)
        )
        if encoder_hidden_states is None:
            output = _attend_to_frames(query, key, value, self.pattern, attn)
        else:
            output = attend(query, key, value, attn)
        projection, dropout = attn.to_out
        return dropout(projection(rearrange(output, "b f n c -> (b f) n c")))


@torch.compiler.assume_constant_result
def _runs(pattern: Pattern, num_frames: int) -> list[tuple[int, list[list[int]]]]:
    """The pattern's table cut into runs of consecutive frames: how many, and the row of each or one for all.

    Plain numbers cost neither a device transfer nor a graph break. Where every frame of a row is repeated
    equally often, as in the first two rows of `sparse_causal`, one copy gives the same softmax.
    """
    rows = pattern(num_frames).tolist()
    rows = [list(dict.fromkeys(row)) if len(set(Counter(row).values())) == 1 else row for row in rows]
    runs = [list(run) for _, run in groupby(rows, key=len)]
    return [(len(run), run[:1] if all(row == run[0] for row in run) else run) for run in runs]


def _looked_at(hidden: Float[Tensor, "bf n c"], pattern: Pattern, num_frames: int) -> Float[Tensor, "bs n c"]:
    """Without the last frames of each clip that no frame sees: their keys and values need no projecting."""
    seen = 1 + max(frame for _, rows in _runs(pattern, num_frames) for row in rows for frame in row)
    if seen == num_frames:
        return hidden
    clips = rearrange(hidden, "(b f) n c -> b f n c", f=num_frames)
    return rearrange(clips[:, :seen], "b s n c -> (b s) n c")


def _attend_to_frames(
    query: Float[Tensor, "b f n c"],
    key: Float[Tensor, "b s n c"],
    value: Float[Tensor, "b s n c"],
    pattern: Pattern,
    attn: Attention,
) -> Float[Tensor, "b f n c"]:
    runs = _runs(pattern, query.shape[1])
    queries = query.split([length for length, _ in runs], dim=1)
    # Stacking views instead of indexing: the gradient is a plain sum, deterministic on every device.
    keys, values = key.unbind(dim=1), value.unbind(dim=1)
    outputs = [
        attend(part, _gather(keys, rows), _gather(values, rows), attn)
        for part, (_, rows) in zip(queries, runs, strict=True)
    ]
    return torch.cat(outputs, dim=1)


def _gather(frames: Sequence[Float[Tensor, "b n c"]], rows: list[list[int]]) -> Float[Tensor, "b r mn c"]:
    seen = torch.stack([frames[i] for row in rows for i in row], dim=1)
    return rearrange(seen, "b (r m) n c -> b r (m n) c", r=len(rows))


def attend(
    query: Float[Tensor, "b f n c"],
    key: Float[Tensor, "b r k c"],
    value: Float[Tensor, "b r k c"],
    attn: Attention,
) -> Float[Tensor, "b f n c"]:
    """Attention with a row of keys per frame (r = f) or one for all (r = 1), who then form one long query."""
    b, _, n, _ = query.shape
    r = key.shape[1]
    query = rearrange(query, "b (r f) n (h d) -> (b r) h (f n) d", r=r, h=attn.heads)
    key, value = (rearrange(x, "b r k (h d) -> (b r) h k d", h=attn.heads) for x in (key, value))
    output = fused_attention(query, key, value, scale=attn.scale)
    return rearrange(output, "(b r) h (f n) d -> b (r f) n (h d)", b=b, n=n)
