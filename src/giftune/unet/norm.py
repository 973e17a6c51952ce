"""Group normalisation with statistics over all frames of a clip."""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError


class PooledGroupNorm(nn.GroupNorm):
    """What `nn.GroupNorm` computes on "b c f h w", for frames folded into the batch.

    Tune-A-Video normalises so in its ResNets; the image model and AnimateDiff normalise each frame by itself.
    ResNets receive no keyword arguments, so `VideoUNet` sets `num_frames` before each call; it must not
    change between the forward and the backward pass of a checkpointed network.
    """

    num_frames: int | None = None

    def forward(self, input: Float[Tensor, "bf c h w"]) -> Float[Tensor, "bf c h w"]:
        if self.num_frames is None:
            raise InputError("num_frames is missing: call an inflated U-Net through giftune's VideoUNet")
        if self.num_frames == 1:
            return super().forward(input)
        clip = rearrange(input, "(b f) c h w -> b c f h w", f=self.num_frames)
        clip = F.group_norm(clip, self.num_groups, self.weight, self.bias, self.eps)
        return rearrange(clip, "b c f h w -> (b f) c h w")
