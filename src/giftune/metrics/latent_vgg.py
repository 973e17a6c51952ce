"""VGG-19 (Simonyan and Zisserman 2015) looking at latents of four channels in the place of colours."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

LAYERS = (0, 5, 10, 19, 28)  # conv1_1 to conv5_1 in torchvision's count


class LatentVgg(nn.Module):
    """The maps behind `LAYERS`, after their ReLU, as Pix2Gif compares them (Kandala et al. 2024).

    `layers` are torchvision's `features`, which stay as they are. The fourth channel is seen with the mean of
    the weights of the three colours. Latents come as they are, neither resized nor normalised. The authors'
    program gives the first convolution a random bias; here it keeps its own.
    """

    def __init__(self, layers: nn.Sequential) -> None:
        super().__init__()
        first = layers[0]
        assert isinstance(first, nn.Conv2d) and first.bias is not None
        widened = nn.Conv2d(4, first.out_channels, 3, padding=1)
        assert widened.bias is not None
        with torch.no_grad():
            widened.weight.copy_(torch.cat([first.weight, first.weight.mean(dim=1, keepdim=True)], dim=1))
            widened.bias.copy_(first.bias)
        kept = [
            nn.ReLU() if isinstance(layer, nn.ReLU) else layer for layer in list(layers)[1 : LAYERS[-1] + 2]
        ]
        self.layers = nn.Sequential(widened, *kept)  # without writing in place, so that gradients flow
        self.requires_grad_(False).eval()

    def forward(self, latents: Float[Tensor, "b 4 h w"]) -> list[Float[Tensor, "b _ _ _"]]:
        maps, hidden = [], latents
        for index, layer in enumerate(self.layers):
            hidden = layer(hidden)
            if index - 1 in LAYERS:
                maps.append(hidden)
        return maps
