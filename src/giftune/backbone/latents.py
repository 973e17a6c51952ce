"""Between frames and the latents that the U-Net works on (Rombach et al. 2022, section 3.1)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL
from einops import rearrange
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.errors import InputError


@dataclass(frozen=True, eq=False)
class Posterior:
    """The encoder's Gaussian for each latent value, in the scale of the U-Net."""

    mean: Float[Tensor, "c f h w"]
    std: Float[Tensor, "c f h w"]

    def sample(self, generator: Generator) -> Float[Tensor, "c f h w"]:
        """Drawn on the generator's device, so that a seed means the same latents everywhere."""
        noise = torch.randn(self.mean.shape, generator=generator, device=generator.device)
        return self.mean + self.std * noise.to(self.mean.device)


def latent_factor(vae: AutoencoderKL) -> int:
    """Pixels per latent along each side: the encoder halves between its levels."""
    return 2 ** (len(vae.config.block_out_channels) - 1)


@torch.no_grad()
def encode(vae: AutoencoderKL, frames: Float[Tensor, "f 3 h w"], chunk: int = 8) -> Posterior:
    """Encode `chunk` frames at a time, in the autoencoder's precision; the result is float32.

    Raises `InputError` for a height or width that is not a multiple of `latent_factor`.
    """
    _require_divisible(frames.shape[-2], frames.shape[-1], latent_factor(vae))
    scale, shift = _scale_and_shift(vae)

    def moments(part: Tensor) -> Tensor:
        posterior = vae.encode(part.to(vae.device, vae.dtype)).latent_dist
        return torch.cat([(posterior.mean.float() - shift) * scale, posterior.std.float() * scale], dim=1)

    mean, std = rearrange(_in_chunks(moments, frames, chunk), "f (two c) h w -> two c f h w", two=2)
    return Posterior(mean, std)


def decode(
    vae: AutoencoderKL, latents: Float[Tensor, "b c f h w"], chunk: int = 8
) -> Float[Tensor, "b f 3 H W"]:
    """Decode `chunk` frames at a time to [-1, 1]; gradients flow unless called in `torch.no_grad()`."""
    scale, shift = _scale_and_shift(vae)
    folded = rearrange(latents, "b c f h w -> (b f) c h w") / scale + shift

    def pixels(part: Tensor) -> Tensor:
        return vae.decode(part.to(vae.device, vae.dtype)).sample.float().clamp(-1, 1)

    return rearrange(_in_chunks(pixels, folded, chunk), "(b f) c h w -> b f c h w", b=len(latents))


def _scale_and_shift(vae: AutoencoderKL) -> tuple[float, float]:
    return vae.config.scaling_factor, getattr(vae.config, "shift_factor", None) or 0.0


def _in_chunks(function: Callable[[Tensor], Tensor], values: Tensor, chunk: int) -> Tensor:
    return torch.cat([function(part) for part in values.split(chunk)])


def _require_divisible(height: int, width: int, factor: int) -> None:
    if height % factor or width % factor:
        nearest = [max(factor, round(side / factor) * factor) for side in (height, width)]
        raise InputError(
            f"frames are {height} x {width} (height x width), both must be multiples of {factor}: "
            f"the nearest size is {nearest[0]} x {nearest[1]}."
        )
