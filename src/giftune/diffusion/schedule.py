"""The noise schedule: alpha_bar of x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) eps.

Notation of DDPM (Ho et al. 2020, eq. 4); timestep grids as in DDIM (Song et al. 2021, section 4.2).
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from giftune.diffusion._betas import make_betas
from giftune.errors import InputError

PredictionType = Literal["epsilon", "v_prediction"]


@dataclass(frozen=True, eq=False)
class Schedule:
    """Noise levels of a trained model; timestep -1 stands for the level after the last denoising step."""

    alphas_cumprod: Float[Tensor, "t"]
    prediction_type: PredictionType
    final_alpha_cumprod: Float[Tensor, ""]
    steps_offset: int = 0

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Schedule":
        """Read a diffusers scheduler configuration, with the defaults of `DDIMScheduler`.

        Clipping and thresholding are for pixels and are never applied to latents. Raises `InputError` for a
        beta schedule or prediction type that is not supported.
        """
        prediction_type = config.get("prediction_type", "epsilon")
        if prediction_type not in get_args(PredictionType):
            raise InputError(f"prediction_type is {prediction_type!r}, not 'epsilon' or 'v_prediction'")
        if config.get("rescale_betas_zero_snr") and prediction_type == "epsilon":
            raise InputError("rescale_betas_zero_snr is true, which needs prediction_type 'v_prediction'")
        if (spacing := config.get("timestep_spacing", "leading")) != "leading":
            warnings.warn(f"timestep_spacing {spacing!r} is replaced by 'leading'.", stacklevel=2)
        alphas_cumprod = torch.cumprod(1 - make_betas(config), dim=0)
        one = torch.ones(())
        return cls(
            alphas_cumprod=alphas_cumprod,
            prediction_type=cast(PredictionType, prediction_type),
            final_alpha_cumprod=one if config.get("set_alpha_to_one", True) else alphas_cumprod[0],
            steps_offset=config.get("steps_offset", 0),
        )

    @property
    def num_train_timesteps(self) -> int:
        return len(self.alphas_cumprod)

    def alpha_bar(self, t: Int[Tensor, "*b"] | int) -> Float[Tensor, "*b"]:
        """alpha_bar_t, on the device of `t`."""
        t = torch.as_tensor(t)
        levels = self.alphas_cumprod.to(t.device)
        return torch.where(t < 0, self.final_alpha_cumprod.to(t.device), levels[t.clamp(min=0)])

    def snr(self, t: Int[Tensor, "*b"] | int) -> Float[Tensor, "*b"]:
        """Signal-to-noise ratio alpha_bar / (1 - alpha_bar) (Kingma et al. 2021, eq. 2)."""
        alpha_bar = self.alpha_bar(t)
        return alpha_bar / (1 - alpha_bar)

    def timesteps(self, num_steps: int) -> Int[Tensor, "s"]:
        """The `num_steps` timesteps of a sampler, descending, with "leading" spacing.

        Raises `InputError` when the training schedule cannot be cut into that many steps.
        """
        stride = self._stride(num_steps)
        return torch.arange(num_steps - 1, -1, -1) * stride + self.steps_offset

    def previous_timesteps(self, num_steps: int) -> Int[Tensor, "s"]:
        """Where each step of `timesteps` leads: one stride lower, or -1 below the grid."""
        return (self.timesteps(num_steps) - self._stride(num_steps)).clamp(min=-1)

    def pairs(self, num_steps: int) -> list[tuple[int, int]]:
        """(t, t_previous) for each denoising step, from noise to image."""
        return list(
            zip(self.timesteps(num_steps).tolist(), self.previous_timesteps(num_steps).tolist(), strict=True)
        )

    def _stride(self, num_steps: int) -> int:
        stride = self.num_train_timesteps // num_steps if num_steps > 0 else 0
        highest = (num_steps - 1) * stride + self.steps_offset
        if stride == 0 or highest >= self.num_train_timesteps:
            most = self.num_train_timesteps - self.steps_offset
            raise InputError(f"num_steps is {num_steps}, it must be between 1 and {most}")
        return stride
