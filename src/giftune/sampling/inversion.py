"""DDIM inversion: the noise from which the sampler leads back to given latents."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.schedule import Schedule
from giftune.io.atomic import atomic_path
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


def cached(folder: Path, key_parts: Mapping[str, str], compute: Callable[[], Tensor]) -> Tensor:
    """`compute()` on the CPU, remembered in `folder` under a hash of everything that it depends on.

    A damaged file is computed again.
    """
    key = json.dumps(dict(key_parts), sort_keys=True)
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"
    if (found := _read(path)) is not None:
        return found
    latents = compute().detach().cpu().contiguous()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_file({"latents": latents}, temporary, metadata={"key": key, "sha256": _digest(latents)})
    return latents


def _read(path: Path) -> Tensor | None:
    try:
        with safe_open(path, framework="pt") as file:
            latents = file.get_tensor("latents")
            intact = (file.metadata() or {}).get("sha256") == _digest(latents)
    except (OSError, SafetensorError):
        return None
    return latents if intact else None


def _digest(latents: Tensor) -> str:
    return hashlib.sha256(latents.flatten().view(torch.uint8).numpy().tobytes()).hexdigest()
