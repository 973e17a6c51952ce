"""Temporal attention: every position of the image looks along the frames."""

from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from giftune.attention.fused import fused_attention
from giftune.unet.frame_code import frame_code


class TemporalAttention(nn.Module):
    """Residual self-attention over frames without positions (Tune-A-Video, Wu et al. 2023, section 4.1).

    With `frame_code` the frames have positions, as in AnimateDiff (Guo et al. 2024, section 4.2). It starts
    as the identity: weight and bias of the output projection are zero. A plain module and not a diffusers
    `Attention`, so that calls which exchange attention processors leave it alone.
    """

    def __init__(self, channels: int, num_heads: int, head_dim: int, frame_code: bool = False) -> None:
        super().__init__()
        self.num_heads, self.frame_code = num_heads, frame_code
        self.norm = nn.LayerNorm(channels)
        self.to_q = nn.Linear(channels, num_heads * head_dim, bias=False)
        self.to_k = nn.Linear(channels, num_heads * head_dim, bias=False)
        self.to_v = nn.Linear(channels, num_heads * head_dim, bias=False)
        self.to_out = nn.Linear(num_heads * head_dim, channels)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(self, hidden: Float[Tensor, "bf n c"], num_frames: int) -> Float[Tensor, "bf n c"]:
        """`hidden` holds the frames folded into the batch, "(b f) n c"."""
        normed = self.norm(hidden)
        if self.frame_code:
            code = frame_code(num_frames, hidden.shape[-1]).to(normed)
            normed = normed + repeat(code, "f c -> (b f) 1 c", b=len(hidden) // num_frames)
        query, key, value = (
            rearrange(project(normed), "(b f) n (h d) -> (b n) h f d", f=num_frames, h=self.num_heads)
            for project in (self.to_q, self.to_k, self.to_v)
        )
        seen = fused_attention(query, key, value)
        seen = rearrange(seen, "(b n) h f d -> (b f) n (h d)", n=hidden.shape[1])
        return hidden + self.to_out(seen)
