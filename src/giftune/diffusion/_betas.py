"""The beta schedules that Stable Diffusion checkpoints name in their scheduler configuration."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError


def make_betas(config: Mapping[str, Any]) -> Float[Tensor, "t"]:
    """beta_t from a diffusers scheduler configuration; raises `InputError` for an unknown `beta_schedule`."""
    betas = _named_betas(config)
    return _zero_terminal_snr(betas) if config.get("rescale_betas_zero_snr") else betas


def _named_betas(config: Mapping[str, Any]) -> Float[Tensor, "t"]:
    if config.get("trained_betas") is not None:
        return torch.as_tensor(config["trained_betas"], dtype=torch.float32)
    start, end = config.get("beta_start", 0.0001), config.get("beta_end", 0.02)
    num_timesteps = config.get("num_train_timesteps", 1000)
    match config.get("beta_schedule", "linear"):
        case "linear":
            return torch.linspace(start, end, num_timesteps, dtype=torch.float32)
        case "scaled_linear":
            return torch.linspace(start**0.5, end**0.5, num_timesteps, dtype=torch.float32).square()
        case "squaredcos_cap_v2":
            return _cosine_betas(num_timesteps)
        case other:
            known = "'linear', 'scaled_linear' or 'squaredcos_cap_v2'"
            raise InputError(f"beta_schedule is {other!r}, it must be {known}")


def _cosine_betas(num_timesteps: int, most: float = 0.999) -> Float[Tensor, "t"]:
    """Nichol and Dhariwal 2021, eq. 17."""

    def alpha_bar(i: int) -> float:
        return math.cos((i / num_timesteps + 0.008) / 1.008 * math.pi / 2) ** 2

    return torch.tensor([min(1 - alpha_bar(i + 1) / alpha_bar(i), most) for i in range(num_timesteps)])


def _zero_terminal_snr(betas: Float[Tensor, "t"]) -> Float[Tensor, "t"]:
    """Lin et al. 2024, algorithm 1: shift and scale sqrt(alpha_bar) so that it ends in 0."""
    signal = torch.cumprod(1 - betas, dim=0).sqrt()
    signal = (signal - signal[-1]) * signal[0] / (signal[0] - signal[-1])
    alphas_cumprod = signal.square()
    previous = torch.cat([torch.ones(1), alphas_cumprod[:-1]])
    return 1 - alphas_cumprod / previous
