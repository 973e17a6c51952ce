"""More inputs for a pretrained U-Net, unseen at first (InstructPix2Pix, Brooks et al. 2023)."""

import torch
from diffusers import UNet2DConditionModel
from torch import nn


def add_input_channels(unet: UNet2DConditionModel, channels: int) -> None:
    """Widen the first convolution in place by `channels` inputs, the weights of which are zero."""
    old = unet.conv_in
    new = nn.Conv2d(
        old.in_channels + channels, old.out_channels, old.kernel_size, old.stride, old.padding
    ).to(old.weight.device, old.weight.dtype)
    with torch.no_grad():
        new.weight.zero_()
        new.weight[:, : old.in_channels] = old.weight
        new.bias.copy_(old.bias)  # type: ignore[union-attr]
    unet.conv_in = new
    unet.register_to_config(in_channels=new.in_channels)
