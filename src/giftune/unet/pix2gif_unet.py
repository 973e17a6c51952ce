"""A U-Net that draws one frame from a picture, a text and a motion (Pix2Gif, Kandala et al. 2024)."""

from typing import Literal, NamedTuple

import torch
from diffusers import UNet2DConditionModel
from jaxtyping import Float, Int
from torch import Tensor, nn

from giftune.unet.input_channels import add_input_channels
from giftune.unet.latent_warp import LatentWarp
from giftune.unet.motion_embedding import MotionEmbedding

Join = Literal["source", "warped", "sum", "both"]


class Conditions(NamedTuple):
    """What the network is told besides the noisy latents; `warped` is None where nothing is warped."""

    text: Float[Tensor, "b n d"]
    picture: Float[Tensor, "b k h w"]
    warped: Float[Tensor, "b c h w"] | None


class Pix2GifUNet(nn.Module):
    """Widens `unet` in place; it stays reachable, with its own keys, as `unet`.

    `join` says what comes beside the noisy latents: the source's latents, the warped ones, their sum, or
    both. Without `embedding` the motion is only what the text says of it.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        embedding: MotionEmbedding | None,
        warp: LatentWarp | None,
        join: Join = "both",
    ) -> None:
        super().__init__()
        assert (warp is None) == (join == "source"), "what is joined comes from the warping module"
        channels = unet.config.out_channels
        add_input_channels(unet, 2 * channels if join == "both" else channels)
        self.unet, self.embedding, self.warp, self.join = unet, embedding, warp, join

    def conditions(
        self,
        source: Float[Tensor, "b c h w"],
        text: Float[Tensor, "b n d"],
        motion: Int[Tensor, "b"],
    ) -> Conditions:
        """The same at every timestep; `source` are latents in the autoencoder's own scale."""
        if self.embedding is not None:
            text = self.embedding(text, motion)
        if self.warp is None:
            return Conditions(text, source, None)
        warped = self.warp(source, text)
        picture = {"warped": warped, "sum": source + warped}.get(self.join)
        return Conditions(text, torch.cat([source, warped], dim=1) if picture is None else picture, warped)

    def forward(
        self, latents: Float[Tensor, "b c h w"], t: Int[Tensor, "b"] | int, conditions: Conditions
    ) -> Float[Tensor, "b c h w"]:
        """The network's prediction for each frame, in its scheduler's terms."""
        seen = torch.cat([latents, conditions.picture.to(latents)], dim=1)
        return self.unet(seen, t, encoder_hidden_states=conditions.text, return_dict=False)[0]
