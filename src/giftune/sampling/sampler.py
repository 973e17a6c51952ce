"""The deterministic DDIM sampler (Song et al. 2021, section 4.1)."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError

# From latents x_t and timestep t to the predicted noise epsilon.
Denoise = Callable[[Float[Tensor, "b c f h w"], int], Float[Tensor, "b c f h w"]]
# Called after each step with the number of steps done, from 1, and the latents reached.
OnStep = Callable[[int, Float[Tensor, "b c f h w"]], object]


@torch.no_grad()
def sample(
    denoise: Denoise,
    noise: Float[Tensor, "b c f h w"],
    schedule: Schedule,
    num_steps: int,
    on_step: OnStep | None = None,
    part: slice = slice(None),
) -> Float[Tensor, "b c f h w"]:
    """Denoise from the highest timestep to the final level, or that `part` of the steps in between.

    Raises `InputError` if numbers overflow.
    """
    latents = noise
    for step, (t, previous) in enumerate(schedule.pairs(num_steps)[part], start=1):
        epsilon = denoise(latents, t).to(latents.dtype)
        latents = ddim_step(latents, epsilon, schedule.alpha_bar(t), schedule.alpha_bar(previous))
        if on_step:
            on_step(step, latents)
    return require_finite(latents)


def require_finite(latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b c f h w"]:
    """`latents` themselves; half precision overflows silently, and the clip would come out black."""
    if not latents.isfinite().all():
        raise InputError(
            "dtype is too narrow or the weights have diverged: the latents are no longer finite; "
            "bfloat16 and float32 do not overflow where float16 does"
        )
    return latents
