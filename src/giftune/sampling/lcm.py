"""Sampling from a consistency model (Luo et al. 2023, algorithm 2)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.lcm import consistency, lcm_timesteps
from giftune.diffusion.prediction import add_noise
from giftune.diffusion.schedule import Schedule
from giftune.sampling.sampler import Denoise, OnStep, require_finite


@torch.no_grad()
def sample_lcm(
    denoise: Denoise,
    noise: Float[Tensor, "b c f h w"],
    schedule: Schedule,
    num_steps: int,
    on_step: OnStep | None = None,
    part: slice = slice(None),
    *,
    fresh: Sequence[Float[Tensor, "#b c f h w"]],
) -> Float[Tensor, "b c f h w"]:
    """Jump to the clean latents, add `fresh` noise of the next level, and so on; the last jump stays.

    `part` is of the steps; `fresh` has one noise less than they are. Raises `InputError` on overflow.
    """
    timesteps = lcm_timesteps(schedule.num_train_timesteps, num_steps)[part]
    latents = noise
    for step, t in enumerate(timesteps, start=1):
        latents = consistency(latents, denoise(latents, t).to(latents.dtype), schedule.alpha_bar(t), t)
        if step < len(timesteps):
            again = fresh[step - 1].expand_as(latents)
            latents = add_noise(latents, again, schedule.alpha_bar(timesteps[step]))
        if on_step:
            on_step(step, latents)
    return require_finite(latents)
