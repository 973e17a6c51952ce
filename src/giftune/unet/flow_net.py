"""FNet of Pix2Gif (Kandala et al. 2024): from a picture's latents and a motion to a flow."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError

INJECTED = 16
SLOPE = 0.2
DOWN = 4  # latents on each side for one at the bottom


class FlowNet(nn.Module):
    """The published layers under their published names; "UNet-like", but nothing skips from the encoder.

    Three flows in (-1, 1) are drawn, each from the coarser one; the last has the size of the latents. With
    `zero` it starts as zero everywhere.
    """

    def __init__(self, channels: int = 4, width: int = 64, zero: bool = False) -> None:
        super().__init__()
        half, quarter = width // 2, width // 4
        inner, outer = half + 2 + INJECTED, quarter + 2
        self.conv0 = _convolution(channels, width)
        self.conv1, self.conv1_1 = _convolution(width, width, 2), _convolution(width, 2 * width)
        self.conv2, self.conv2_1 = _convolution(2 * width, 2 * width, 2), _convolution(2 * width, 2 * width)
        self.deconv1, self.deconv0 = _upwards(2 * width, half), _upwards(inner, quarter)
        self.inter_conv1, self.inter_conv0 = _convolution(inner, half), _convolution(outer, quarter)
        self.predict_flow2, self.predict_flow1 = _flow(2 * width), _flow(half)
        self.predict_flow0 = _flow(quarter)
        self.upsampled_flow2_to_1 = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)
        self.upsampled_flow1_to_0 = nn.ConvTranspose2d(2, 2, 4, stride=2, padding=1)
        if zero:
            for parameter in self.predict_flow0.parameters():
                nn.init.zeros_(parameter)

    def forward(
        self, latents: Float[Tensor, "b c h w"], injected: Float[Tensor, "b i p q"]
    ) -> tuple[Float[Tensor, "b 2 h w"], Float[Tensor, "b 2 p q"], Float[Tensor, "b 2 r s"]]:
        """The flows, the finest first; `injected` has half the size of the latents.

        Raises `InputError` for latents whose sides are no multiples of 4.
        """
        height, width = latents.shape[-2:]
        if height % DOWN or width % DOWN:
            raise InputError(
                f"latents are {height} x {width} (height x width), both must be multiples of {DOWN}."
            )
        deep = self.conv2_1(self.conv2(self.conv1_1(self.conv1(self.conv0(latents)))))
        flow2 = self.predict_flow2(deep)
        middle = torch.cat([self.deconv1(deep), self.upsampled_flow2_to_1(flow2), injected], dim=1)
        flow1 = self.predict_flow1(self.inter_conv1(middle))
        fine = torch.cat([self.deconv0(middle), self.upsampled_flow1_to_0(flow1)], dim=1)
        return self.predict_flow0(self.inter_conv0(fine)), flow1, flow2


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.BatchNorm2d(outputs), nn.LeakyReLU(SLOPE)
    )


def _upwards(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.ConvTranspose2d(inputs, outputs, 4, stride=2, padding=1),
        nn.BatchNorm2d(outputs),
        nn.LeakyReLU(SLOPE),
    )


def _flow(inputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, 2, 3, padding=1), nn.Tanh())
