"""A video network that sees a long clip window by window."""

from collections.abc import Sequence

import torch
from diffusers import UNet2DConditionModel
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from giftune.diffusion.windows import Windows
from giftune.unet.video_unet import VideoUNet


class WindowedUNet(nn.Module):
    """Stands where a `VideoUNet` stands; its memory grows with the window and not with the clip.

    The predictions of the windows are averaged with smooth weights. A clip that fits into one window takes
    the way of the `VideoUNet` itself.
    """

    def __init__(self, network: VideoUNet, windows: Windows) -> None:
        super().__init__()
        self.network, self.windows = network, windows

    def forward(
        self,
        latents: Float[Tensor, "b c f h w"],
        t: Int[Tensor, "b"] | Int[Tensor, ""] | int,
        text: Float[Tensor, "b n d"],
        down_residuals: Sequence[Float[Tensor, "bf _ _ _"]] | None = None,
        mid_residual: Float[Tensor, "bf _ _ _"] | None = None,
    ) -> Float[Tensor, "b c f h w"]:
        """The network's prediction for each frame; residuals, folded, are those of all frames."""
        num_frames = latents.shape[2]
        windows = self.windows.cut(num_frames)
        if len(windows) == 1:
            return self.network(latents, t, text, down_residuals, mid_residual)
        blended = torch.zeros_like(latents)
        weights = self.windows.weights(num_frames).to(latents)
        for window, weight in zip(windows, weights, strict=True):
            frames = torch.tensor(window.frames, device=latents.device)

            def seen(folded: Tensor, frames: Tensor = frames) -> Tensor:
                clips = rearrange(folded, "(b f) c h w -> b f c h w", f=num_frames)
                return rearrange(clips[:, frames], "b f c h w -> (b f) c h w")

            output = self.network(
                latents[:, :, frames],
                t,
                text,
                None if down_residuals is None else [seen(residual) for residual in down_residuals],
                None if mid_residual is None else seen(mid_residual),
            )
            own = frames[window.anchored :]
            blended[:, :, own] += weight[own, None, None] * output[:, :, window.anchored :].to(latents.dtype)
        return blended

    @property
    def unet(self) -> UNet2DConditionModel:
        return self.network.unet

    @property
    def architecture(self) -> dict[str, str | bool]:
        """That of the video network, and what it sees at once."""
        return {**self.network.architecture, "window": f"{self.windows.frames} {self.windows.shared}"}
