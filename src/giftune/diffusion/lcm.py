"""Latent consistency models (Luo et al. 2023): one step from any noise level to the clean latents."""

from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.prediction import Level, to_x0
from giftune.errors import InputError

SIGMA_DATA = 0.5
TIMESTEP_SCALING = 10


def consistency(
    sample: Float[Tensor, "b c *f h w"], epsilon: Float[Tensor, "b c *f h w"], alpha_bar: Level, t: int
) -> Float[Tensor, "b c *f h w"]:
    """c_skip(t) x_t + c_out(t) x_0(x_t, epsilon) (eq. 9), which is x_t itself at t = 0."""
    scaled = (TIMESTEP_SCALING * t) ** 2
    c_skip = SIGMA_DATA**2 / (scaled + SIGMA_DATA**2)
    c_out = TIMESTEP_SCALING * t / (scaled + SIGMA_DATA**2) ** 0.5
    return c_skip * sample + c_out * to_x0(epsilon, sample, alpha_bar, "epsilon")


def lcm_timesteps(num_train_timesteps: int, num_steps: int, num_distilled: int = 50) -> list[int]:
    """`num_steps` timesteps, descending, spread over the `num_distilled` ones of the distillation.

    Raises `InputError` for more steps than were distilled.
    """
    if not 1 <= num_steps <= num_distilled:
        raise InputError(
            f"num_steps is {num_steps}, it must be between 1 and {num_distilled} for a consistency model."
        )
    stride = num_train_timesteps // num_distilled
    return [(num_distilled - i * num_distilled // num_steps) * stride - 1 for i in range(num_steps)]
