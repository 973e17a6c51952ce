"""The image model beside the video network that is made from it."""

import copy
from itertools import chain

import torch
from diffusers import UNet2DConditionModel
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor


class ImageModel:
    """The U-Net as it is now, frame by frame and without gradient, on the very same tensors.

    Made before `inflate`, which then changes the other one alone; costs no memory. What is tuned of the image
    model's own weights is tuned here too, so this is for networks in which they are frozen.
    """

    def __init__(self, unet: UNet2DConditionModel) -> None:
        shared = {id(tensor): tensor for tensor in chain(unet.parameters(), unet.buffers())}
        self.unet = copy.deepcopy(unet, shared)

    @torch.no_grad()
    def __call__(
        self,
        latents: Float[Tensor, "b c f h w"],
        t: Int[Tensor, "b"] | Int[Tensor, ""] | int,
        text: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c f h w"]:
        """The image model's prediction for each frame."""
        b, _, f, _, _ = latents.shape
        encoded = text[..., : self.unet.config.cross_attention_dim]  # without words
        output = self.unet(
            rearrange(latents, "b c f h w -> (b f) c h w"),
            repeat(torch.as_tensor(t, device=latents.device).expand(b), "b -> (b f)", f=f),
            encoder_hidden_states=repeat(encoded, "b n d -> (b f) n d", f=f),
            return_dict=False,
        )[0]
        return rearrange(output, "(b f) c h w -> b c f h w", f=f)
