"""Few steps: the sampler DPM-Solver++(2M), and the inversion that belongs to it."""

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.dpm_solver import dpm_step, extrapolated
from giftune.diffusion.prediction import to_x0
from giftune.diffusion.schedule import Schedule
from giftune.sampling.sampler import Denoise, OnStep, require_finite


@torch.no_grad()
def sample_dpm_solver(
    denoise: Denoise,
    noise: Float[Tensor, "b c f h w"],
    schedule: Schedule,
    num_steps: int,
    on_step: OnStep | None = None,
    part: slice = slice(None),
) -> Float[Tensor, "b c f h w"]:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2) on the timesteps of `sample`, of which `part` is taken.

    The first step and the last of the schedule are of first order, as the authors advise for few steps.
    Raises `InputError` if numbers overflow.
    """
    latents, before = noise, None
    pairs = schedule.pairs(num_steps)
    for step, (t, previous) in enumerate(pairs[part], start=1):
        level, lower = schedule.alpha_bar(t), schedule.alpha_bar(previous)
        x0 = to_x0(denoise(latents, t).to(latents.dtype), latents, level, "epsilon")
        straight = x0
        if before is not None and (t, previous) != pairs[-1]:
            straight = extrapolated(x0, before[1], before[0], level, lower)
        latents, before = dpm_step(latents, straight, level, lower), (level, x0)
        if on_step:
            on_step(step, latents)
    return require_finite(latents)


@torch.no_grad()
def invert_dpm_solver(
    denoise: Denoise,
    latents: Float[Tensor, "b c f h w"],
    schedule: Schedule,
    num_steps: int,
    on_step: OnStep | None = None,
) -> Float[Tensor, "b c f h w"]:
    """The same equation solved upwards, with a line through epsilon instead of x_0, which suits little noise.

    Ours: the multistep solver of second order in epsilon (DPM-Solver, Lu et al. 2022) along rising timesteps.
    Each step asks the network at the level it starts from, where the latents are known, unlike `invert`.
    Raises `InputError` if numbers overflow.
    """
    before = None
    for step, (t, previous) in enumerate(reversed(schedule.pairs(num_steps)), start=1):
        level, higher = schedule.alpha_bar(previous), schedule.alpha_bar(t)
        epsilon = denoise(latents, max(previous, 0)).to(latents.dtype)
        straight = epsilon
        if before is not None:
            straight = extrapolated(epsilon, before[1], before[0], level, higher)
        latents, before = ddim_step(latents, straight, level, higher), (level, epsilon)
        if on_step:
            on_step(step, latents)
    return require_finite(latents)
