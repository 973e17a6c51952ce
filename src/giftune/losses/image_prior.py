"""Keeps a video network near the frozen image model that it was made from."""

from jaxtyping import Float
from torch import Tensor


def image_prior(
    prediction: Float[Tensor, "b c f h w"], image_prediction: Float[Tensor, "b c f h w"]
) -> Float[Tensor, ""]:
    """L_reg = mean |prediction - stopgrad(image_prediction)|^2.

    HARIVO (Kwon et al. 2024, figure 3a) penalises the difference that its temporal layers make; the formula
    is not published, this one is ours. Both see the same noisy latents, the image model each frame by itself.
    """
    return (prediction - image_prediction.detach()).square().mean()
