"""The latent diffusion objective."""

from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError
from giftune.losses.step import DenoisingStep


class Reconstruction(nn.Module):
    """Mean squared error between the prediction and its target (Ho et al. 2020, eq. 14).

    With `min_snr_gamma` each clip is weighted by its noise level (Hang et al. 2023, section 3.4): in the
    x_0 form the weight is min(snr, gamma), which is divided by snr for epsilon, by snr + 1 for v prediction.
    With `v_weighting_cap` an error of epsilon counts as that of the v it implies (Salimans and Ho 2022,
    section 4), 1 / alpha_bar times as much, but no more than the cap (ours); one of v is that already.
    """

    def __init__(self, min_snr_gamma: float | None = None, v_weighting_cap: float | None = None) -> None:
        super().__init__()
        if min_snr_gamma is not None and min_snr_gamma <= 0:
            raise InputError(f"min_snr_gamma is {min_snr_gamma}, it must be positive or null.")
        if v_weighting_cap is not None and not v_weighting_cap >= 1:
            raise InputError(f"v_weighting_cap is {v_weighting_cap}, it must be at least 1 or null.")
        if min_snr_gamma is not None and v_weighting_cap is not None:
            raise InputError("min_snr_gamma and v_weighting_cap are both set, they exclude each other.")
        self.min_snr_gamma, self.v_weighting_cap = min_snr_gamma, v_weighting_cap

    def forward(self, step: DenoisingStep) -> Float[Tensor, ""]:
        error = reduce((step.prediction - step.target).square(), "b c f h w -> b", "mean")
        return (error * self._weight(step)).mean()

    def _weight(self, step: DenoisingStep) -> Float[Tensor, "b"] | float:
        if self.v_weighting_cap is not None and step.prediction_type == "epsilon":
            return (1 / step.alpha_bar).clamp(max=self.v_weighting_cap)
        if self.min_snr_gamma is None:
            return 1.0
        snr = step.alpha_bar / (1 - step.alpha_bar)
        if step.prediction_type == "epsilon":
            return (self.min_snr_gamma / snr).clamp(max=1)  # written so that snr = 0 gives 1, not 0 / 0
        return snr.clamp(max=self.min_snr_gamma) / (snr + 1)
