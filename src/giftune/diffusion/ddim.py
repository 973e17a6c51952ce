"""Denoising diffusion implicit models (Song et al. 2021)."""

from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.prediction import Level, add_noise, to_x0


def ddim_step(
    sample: Float[Tensor, "b c *f h w"],
    epsilon: Float[Tensor, "b c *f h w"],
    alpha_bar_from: Level,
    alpha_bar_to: Level,
) -> Float[Tensor, "b c *f h w"]:
    """Move `sample` from one noise level to another along `epsilon` (eq. 12 with eta = 0).

    Downwards it denoises, upwards it inverts: with the same epsilon the two undo each other.
    """
    return add_noise(to_x0(epsilon, sample, alpha_bar_from, "epsilon"), epsilon, alpha_bar_to)
