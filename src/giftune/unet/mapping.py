"""The mapping network: the noise of a clip's frames learns to belong together before the U-Net sees it."""

from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from giftune.errors import InputError

DAMPING = 0.1
NOISY = 0.9  # of the timesteps: from here on x_t counts as the noise that sampling starts from
Where = Literal["every_step", "initial_noise_only"]


class MappingNetwork(nn.Module):
    """M(z) = z + W_out SiLU(GN(blocks(W_in z))) / 10 with 3 x 3 x 3 convolutions, also over time; our design.

    HARIVO (Kwon et al. 2024) has a trainable network in front of the U-Net, which changes the distribution of
    its input; its layers are not published. Ours starts as the identity: W_out and its bias are zero; the
    tenth lets it learn at the rate of the temporal layers, at which it would else spoil the input at once. It
    works on `apply_to` "every_step", the latents x_t that the U-Net sees, while the sampler keeps the
    unmapped ones and the target stays the noise that was added; or "initial_noise_only", where a sampler
    starts. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        channels: int = 4,
        width: int = 64,
        num_blocks: int = 2,
        apply_to: Where = "every_step",
    ) -> None:
        super().__init__()
        if num_blocks < 0 or width < 8 or width % 8:
            raise InputError(
                f"width is {width} and num_blocks {num_blocks}: a width must be a multiple of 8, a number of "
                "blocks at least 0."
            )
        self.apply_to = apply_to
        self.conv_in = nn.Conv3d(channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(_Block(width) for _ in range(num_blocks)))
        self.norm_out = FrameNorm(8, width)
        self.conv_out = nn.Conv3d(width, channels, 3, padding=1)
        nn.init.zeros_(self.conv_out.weight)
        assert self.conv_out.bias is not None
        nn.init.zeros_(self.conv_out.bias)

    def forward(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b c f h w"]:
        hidden = self.blocks(self.conv_in(latents))
        return latents + DAMPING * self.conv_out(F.silu(self.norm_out(hidden)))

    @property
    def architecture(self) -> str:
        """What is built, as metadata for trained weights."""
        return f"{self.apply_to} {self.conv_in.out_channels} x {len(self.blocks)}"


def mapped_to_learn(
    mapping: MappingNetwork | None,
    noisy: Float[Tensor, "b c f h w"],
    t: Int[Tensor, "b"],
    num_timesteps: int,
) -> Float[Tensor, "b c f h w"]:
    """What a network is given to learn from; one that maps at every step does so itself.

    What maps only the noise that sampling starts from learns in the noisiest tenth of the timesteps, which
    is ours.
    """
    if mapping is None or mapping.apply_to == "every_step":
        return noisy
    noisiest = rearrange(t >= NOISY * num_timesteps, "b -> b 1 1 1 1")
    return torch.where(noisiest, mapping(noisy), noisy)


def mapped_to_start(
    mapping: MappingNetwork | None, noise: Float[Tensor, "b c f h w"]
) -> Float[Tensor, "b c f h w"]:
    """Where a sampler starts; a network that maps at every step does so itself."""
    return noise if mapping is None or mapping.apply_to == "every_step" else mapping(noise)


class FrameNorm(nn.GroupNorm):
    """Group normalisation of each frame by itself, so that a clip's length does not matter."""

    def forward(self, input: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b c f h w"]:
        folded = super().forward(rearrange(input, "b c f h w -> (b f) c h w"))
        return rearrange(folded, "(b f) c h w -> b c f h w", b=len(input))


class _Block(nn.Module):
    """x + Conv(SiLU(GN(Conv(SiLU(GN(x))))))."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = FrameNorm(8, width), FrameNorm(8, width)
        self.conv1, self.conv2 = (nn.Conv3d(width, width, 3, padding=1) for _ in range(2))

    def forward(self, hidden: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b c f h w"]:
        inner = self.conv1(F.silu(self.norm1(hidden)))
        return hidden + self.conv2(F.silu(self.norm2(inner)))
