"""Temporal convolution: every position of the image is filtered along the frames."""

from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError


class TemporalConv(nn.Conv2d):
    """A convolution over (frame, place) whose kernel spans `size` frames and one place.

    Make-A-Video (Singer et al. 2023, section 3.2.1) puts one behind every 2-D convolution, and starts it as
    the identity: a Dirac kernel without bias. Beyond the ends of a clip there are zeros.
    """

    def __init__(self, channels: int, size: int = 3) -> None:
        if size < 1 or size % 2 == 0:
            raise InputError(f"size is {size}, a temporal convolution needs an odd number of frames")
        super().__init__(channels, channels, (size, 1), padding=(size // 2, 0))
        nn.init.dirac_(self.weight)
        assert self.bias is not None
        nn.init.zeros_(self.bias)


class PseudoConv3d(nn.Conv2d):
    """A convolution of the image model, followed by one in time.

    Never constructed: `add_temporal_conv` gives an image model's convolution this class, so no key moves.
    ResNets receive no keyword arguments, so `VideoUNet` sets `num_frames` before each call; it must not
    change between the forward and the backward pass of a checkpointed network.
    """

    temporal: TemporalConv
    num_frames: int | None = None

    def forward(self, input: Float[Tensor, "bf c h w"]) -> Float[Tensor, "bf d H W"]:
        if self.num_frames is None:
            raise InputError("num_frames is missing: call an inflated U-Net through giftune's VideoUNet")
        output = super().forward(input)
        height = output.shape[-2]
        clip = rearrange(output, "(b f) c h w -> b c f (h w)", f=self.num_frames)
        return rearrange(self.temporal(clip), "b c f (h w) -> (b f) c h w", h=height)


def add_temporal_conv(conv: nn.Conv2d) -> None:
    """Let `conv`, in place, be followed by a temporal convolution, which changes nothing at first."""
    like = conv.weight
    conv.temporal = TemporalConv(conv.out_channels).to(like.device, like.dtype)
    conv.__class__ = PseudoConv3d
