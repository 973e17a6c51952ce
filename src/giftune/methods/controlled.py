"""A video network that draws along the structure of given pictures."""

from collections.abc import Callable
from typing import Any

import torch
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from giftune.backbone.control import Control
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.digest import digest, fingerprint
from giftune.unet.video_unet import VideoUNet
from giftune.unet.windowed import WindowedUNet

# From a clip to one picture a frame, "f 3 h w" in [0, 1].
Signal = Callable[[Clip], Tensor]


class Controlled(nn.Module):
    """A `VideoUNet` whose every frame is controlled by its picture; can take its place in a `Workspace`.

    `picture` is of one clip, or of as many as the latents: it repeats over prompts and branches of guidance.
    """

    def __init__(
        self,
        network: VideoUNet | WindowedUNet,
        control: Control,
        picture: Float[Tensor, "b 3 f H W"],
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.video_network, self.control_network = network, control.network
        self.control, self.picture, self.scale = control, picture, scale
        self.encoded = control.encode(picture)

    def forward(
        self,
        latents: Float[Tensor, "b c f h w"],
        t: int | Int[Tensor, "*b"],
        text: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c f h w"]:
        """The network's prediction for each frame."""
        b, _, f, _, _ = latents.shape
        encoded = text[..., : self.video_network.unet.config.cross_attention_dim]  # without words
        down, middle = self.control.residuals(
            [_tiled(part, b * f) for part in self.encoded],
            rearrange(latents, "b c f h w -> (b f) c h w"),
            repeat(torch.as_tensor(t, device=latents.device).expand(b), "b -> (b f)", f=f),
            repeat(encoded, "b n d -> (b f) n d", f=f),
            self.scale,
        )
        number = self.video_network.unet.dtype  # of the features; the latents may be wider
        down = [residual.to(number) for residual in down]
        return self.video_network(latents, t, text, down, None if middle is None else middle.to(number))

    @property
    def architecture(self) -> dict[str, str | bool]:
        """That of the video network, and what controls it."""
        seen = f"{fingerprint(self.control_network)} {self.scale} {digest([self.picture])}"
        return {**self.video_network.architecture, "control": seen}


class StructuralControl:
    """What a method takes as `control`: the structure that `signal` sees in a clip, through `weights`.

    `scale` multiplies what is added to the U-Net; 0 leaves it as it is. Raises `InputError` for settings out
    of range.
    """

    def __init__(self, weights: Control, signal: Signal, scale: float = 1.0) -> None:
        if not scale >= 0:
            raise InputError(f"control.scale is {scale}, it must be at least 0.")
        self.weights, self.signal, self.scale = weights, signal, scale

    def require_fit(self, backbone: Backbone) -> None:
        """Raise `InputError` unless the control was made for networks such as this backbone's."""
        self.weights.require_fit(backbone)

    def network(self, network: VideoUNet | WindowedUNet, clip: Clip) -> Controlled:
        """`network`, controlled by `clip`."""
        return self.attached(network, self.picture(clip))

    def picture(self, clip: Clip) -> Float[Tensor, "1 3 f h w"]:
        """What `attached` needs of `clip`: the same in all steps and for all prompts."""
        frames = rearrange(self.signal(clip), "f c h w -> 1 c f h w")
        return frames.to(self.weights.network.device, torch.float32)

    def attached(self, network: VideoUNet | WindowedUNet, picture: Float[Tensor, "b 3 f H W"]) -> Controlled:
        """`network`, controlled by what `picture` gave."""
        return Controlled(network, self.weights, picture, self.scale)


def no_control() -> Any:
    """What `control=none` gives a method."""
    return None


def _tiled(part: Float[Tensor, "pf _ _ _"], size: int) -> Float[Tensor, "bf _ _ _"]:
    """Clips follow one another as often as there are prompts, and prompts as often as there are branches."""
    return repeat(part, "pf c h w -> (k pf) c h w", k=size // len(part))
