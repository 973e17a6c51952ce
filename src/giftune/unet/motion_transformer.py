"""A layer in which a clip's frames, its places and its words meet, so that motion can follow the words."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from giftune.attention.fused import fused_attention
from giftune.unet.frame_code import frame_code
from giftune.unet.frame_words import CODE, GAIN, ClipWords
from giftune.unet.place_code import WIDTH, grid_of, place_code

MAX_PLACES = 256  # of a frame, up to which every place sees every other one in all frames


class MotionTransformer(nn.Module):
    """Residual transformer over a clip, at the end of a transformer block; our own design.

    The motion modules of AnimateDiff (Guo et al. 2024, section 4.2) look along the frames at each place alone
    and never see the text. Here a place sees all places of all frames, so that what moves can be followed.
    Where and when it is, and what the words say of it there and then, is added to it first: W ((A words) *
    (B frame) * (C place)), of which `FrameWords` has made the first two factors. Where a frame has more than
    `MAX_PLACES` places, as at 512 pixels all but the two coarsest levels, a place sees itself in all frames,
    as in AnimateDiff. It starts as the identity: weight and bias of the last projection are zero. A plain
    module, so that calls which exchange attention processors leave it alone.
    """

    def __init__(self, channels: int, num_heads: int, rank: int, num_layers: int = 1) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.to_in = nn.Linear(channels, channels)
        self.from_frame, self.from_place = nn.Linear(CODE, channels), nn.Linear(WIDTH, channels)
        self.place_of_words, self.from_words = nn.Linear(WIDTH, rank), nn.Linear(rank, channels)
        nn.init.normal_(self.place_of_words.weight, std=WIDTH**-0.5)
        self.layers = nn.ModuleList(_Layer(channels, num_heads) for _ in range(num_layers))
        self.to_out = nn.Linear(channels, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, hidden: Float[Tensor, "bf n c"], clip: ClipWords) -> Float[Tensor, "bf n c"]:
        """`hidden` holds the frames folded into the batch, "(b f) n c"."""
        num_frames = clip.words.shape[1]
        inner = rearrange(self.to_in(self.norm(hidden)), "(b f) n c -> b f n c", f=num_frames)
        places = place_code(*grid_of(hidden.shape[1], clip.height, clip.width)).to(inner)
        moments = self.from_frame(GAIN * frame_code(num_frames, CODE).to(inner))
        said = self.from_words(rearrange(clip.words, "b f r -> b f 1 r") * self.place_of_words(places))
        inner = inner + said + self.from_place(places) + rearrange(moments, "f c -> f 1 c")
        for layer in self.layers:
            inner = layer(inner)
        return hidden + self.to_out(rearrange(inner, "b f n c -> (b f) n c"))

    @property
    def architecture(self) -> str:
        """What is built, as metadata for trained weights."""
        return f"over clip and words, {len(self.layers)} deep"


class _Layer(nn.Module):
    """Self-attention, feed-forward."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.to_q, self.to_k, self.to_v, self.to_out = (nn.Linear(channels, channels) for _ in range(4))
        self.feed = nn.Sequential(
            nn.Linear(channels, 4 * channels), nn.GELU(), nn.Linear(4 * channels, channels)
        )

    def forward(self, hidden: Float[Tensor, "b f n c"]) -> Float[Tensor, "b f n c"]:
        b, f, n, _ = hidden.shape
        folded = "b f n c -> b (f n) c" if n <= MAX_PLACES else "b f n c -> (b n) f c"
        unfolded = " -> ".join(reversed(folded.split(" -> ")))
        seen = self._attend(rearrange(self.norm1(hidden), folded))
        hidden = hidden + rearrange(seen, unfolded, b=b, f=f)
        return hidden + self.feed(self.norm2(hidden))

    def _attend(self, tokens: Float[Tensor, "b m c"]) -> Float[Tensor, "b m c"]:
        query, key, value = (
            rearrange(project(tokens), "b m (h d) -> b h m d", h=self.num_heads)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        return self.to_out(rearrange(fused_attention(query, key, value), "b h m d -> b m (h d)"))
