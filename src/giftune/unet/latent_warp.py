"""The warping module of Pix2Gif: a picture's latents, moved as text and motion say."""

from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange, repeat
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError
from giftune.unet.flow_net import FlowNet
from giftune.unet.motion_injection import MotionInjection

Mode = Literal["absolute", "residual"]


class LatentWarp(nn.Module):
    """z_W = WNet(E(c_I), FNet(E(c_I), IM(c_L))) (Kandala et al. 2024, eq. 4 and 5).

    `absolute` takes the flow for the places to sample, as the authors' program does, so that a flow of zero
    is the colour of the centre everywhere. `residual` is ours: the flow, times `reach` in parts of half the
    picture's side, is added to the identity, where it starts. Raises `InputError` for a reach of 0 or less.
    """

    def __init__(
        self,
        num_tokens: int,
        text_width: int,
        channels: int = 4,
        width: int = 64,
        mode: Mode = "residual",
        reach: float = 0.5,
    ) -> None:
        super().__init__()
        if reach <= 0:
            raise InputError(f"reach is {reach}, it must be positive.")
        self.mode, self.reach = mode, reach
        self.injection = MotionInjection(num_tokens, text_width)
        self.flow = FlowNet(channels, width, zero=mode == "residual")

    def forward(
        self, latents: Float[Tensor, "b c h w"], text: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b c h w"]:
        height, width = latents.shape[-2:]
        flow, _, _ = self.flow(latents, self.injection(text, height // 2, width // 2))
        return warped(latents, flow if self.mode == "absolute" else self.reach * flow, self.mode)


def warped(
    latents: Float[Tensor, "b c h w"], flow: Float[Tensor, "b 2 h w"], mode: Mode
) -> Float[Tensor, "b c h w"]:
    """Bilinear samples, 0 outside; `flow` is (x, y), and from edge to edge a picture is 2 long and wide."""
    grid = rearrange(flow, "b two h w -> b h w two")
    if mode == "residual":
        grid = grid + identity_grid(latents)
    return F.grid_sample(latents, grid, padding_mode="zeros", align_corners=False)


def identity_grid(latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b h w 2"]:
    """Where each latent is itself, in the measure of `grid_sample`."""
    b, _, h, w = latents.shape
    ys, xs = (
        (2 * torch.arange(side, device=latents.device, dtype=latents.dtype) + 1) / side - 1 for side in (h, w)
    )
    return repeat(torch.stack(torch.meshgrid(xs, ys, indexing="xy"), dim=-1), "h w two -> b h w two", b=b)
