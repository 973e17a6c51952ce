"""A layer in which a clip's frames, its places and its text meet, so that motion can follow the words."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from giftune.attention.fused import fused_attention
from giftune.unet.frame_code import frame_code

MAX_PLACES = 256  # of a frame, up to which every place sees every other one in all frames


class MotionTransformer(nn.Module):
    """Residual transformer over a clip, at the end of a transformer block; our own design.

    The motion modules of AnimateDiff (Guo et al. 2024, section 4.2) look along the frames at each place alone
    and never see the text. Here a place sees all places of all frames, so that what moves can be followed,
    and the prompt, so that it moves as is said. Where a frame has more than `MAX_PLACES` places, as at 512
    pixels all but the two coarsest levels, a place sees itself in all frames, as in AnimateDiff. It starts as
    the identity: weight and bias of the last projection are zero. A plain module, so that calls which
    exchange attention processors leave it alone.
    """

    def __init__(self, channels: int, num_heads: int, text_width: int, num_layers: int = 1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.to_in = nn.Linear(channels, channels)
        self.layers = nn.ModuleList(_Layer(channels, num_heads, text_width) for _ in range(num_layers))
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self, hidden: Float[Tensor, "bf n c"], num_frames: int, text: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "bf n c"]:
        """`hidden` holds the frames folded into the batch, "(b f) n c"; the text comes once for each clip."""
        inner = rearrange(self.to_in(self.norm(hidden)), "(b f) n c -> b f n c", f=num_frames)
        inner = inner + rearrange(frame_code(num_frames, hidden.shape[-1]).to(inner), "f c -> f 1 c")
        for layer in self.layers:
            inner = layer(inner, text)
        return hidden + self.to_out(rearrange(inner, "b f n c -> (b f) n c"))

    @property
    def architecture(self) -> str:
        """What is built, as metadata for trained weights."""
        return f"over clip and text, {len(self.layers)} deep"


class _Layer(nn.Module):
    """Self-attention, attention to the text, feed-forward."""

    def __init__(self, channels: int, num_heads: int, text_width: int) -> None:
        super().__init__()
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))
        self.attend = _Attention(channels, channels, num_heads)
        self.read = _Attention(channels, text_width, num_heads)
        self.feed = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(
        self, hidden: Float[Tensor, "b f n c"], text: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "b f n c"]:
        b, f, n, _ = hidden.shape
        folded = "b f n c -> b (f n) c" if n <= MAX_PLACES else "b f n c -> (b n) f c"
        normed = rearrange(self.norm1(hidden), folded)
        unfolded = " -> ".join(reversed(folded.split(" -> ")))
        hidden = hidden + rearrange(self.attend(normed, normed), unfolded, b=b, f=f)
        normed = rearrange(self.norm2(hidden), "b f n c -> b (f n) c")
        hidden = hidden + rearrange(self.read(normed, text), "b (f n) c -> b f n c", f=f)
        return hidden + self.feed(self.norm3(hidden))


class _Attention(nn.Module):
    """Multi-head attention of one sequence to another."""

    def __init__(self, channels: int, context_width: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context_width, channels, bias=False)
        self.to_v = nn.Linear(context_width, channels, bias=False)
        self.to_out = nn.Linear(channels, channels)

    def forward(
        self, hidden: Float[Tensor, "b n c"], context: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "b n c"]:
        query, key, value = (
            rearrange(project(seen), "b n (h d) -> b h n d", h=self.num_heads)
            for project, seen in ((self.to_q, hidden), (self.to_k, context), (self.to_v, context))
        )
        return self.to_out(rearrange(fused_attention(query, key, value), "b h n d -> b n (h d)"))
