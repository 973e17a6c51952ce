"""DDIM inversion: the noise from which the sampler leads back to given latents."""

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.schedule import Schedule
from giftune.sampling.sampler import Denoise, OnStep, require_finite


@torch.no_grad()
def invert(
    denoise: Denoise,
    latents: Float[Tensor, "b c f h w"],
    schedule: Schedule,
    num_steps: int,
    on_step: OnStep | None = None,
) -> Float[Tensor, "b c f h w"]:
    """The sampler's steps walked backwards (Song et al. 2021, section 4.3).

    A step upwards to t should use epsilon(x_t, t), but x_t is not known yet: as in Tune-A-Video the network
    sees the latents before the step and the timestep after it. Raises `InputError` if numbers overflow.
    """
    for step, (t, previous) in enumerate(reversed(schedule.pairs(num_steps)), start=1):
        epsilon = denoise(latents, t).to(latents.dtype)
        latents = ddim_step(latents, epsilon, schedule.alpha_bar(previous), schedule.alpha_bar(t))
        if on_step:
            on_step(step, latents)
    return require_finite(latents)
