"""Do two pictures look alike to a network that sees their latents?"""

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor, nn

# From latents "b c h w" to maps of features, from coarse to deep.
Features = Callable[[Tensor], Sequence[Tensor]]


class LatentPerceptual(nn.Module):
    """L_P = sum_k mean((phi_k(reference) - phi_k(warped))^2) (Pix2Gif, Kandala et al. 2024, eq. 7).

    The authors' program gives every layer the same weight. It compares with the source, so that the warp
    keeps what it moves; gradients reach `warped` alone.
    """

    def __init__(self, features: Features) -> None:
        super().__init__()
        self.features = features

    def forward(
        self, warped: Float[Tensor, "b c h w"], reference: Float[Tensor, "b c h w"]
    ) -> Float[Tensor, "b"]:
        """One number for each picture of the batch."""
        pairs = zip(self.features(warped), self.features(reference.detach()), strict=True)
        distances = [(seen - wanted).square().flatten(1).mean(dim=1) for seen, wanted in pairs]
        return sum(distances[1:], start=distances[0])
