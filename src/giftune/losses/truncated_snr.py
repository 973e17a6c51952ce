"""The objective of progressive distillation."""

from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from giftune.losses.step import DenoisingStep


class TruncatedSnr(nn.Module):
    """max(snr, 1) || x_0 - x_0_hat ||^2, the mean over values (Salimans and Ho 2022, section 4).

    As an error of epsilon it counts max(1, 1 / snr) times, so that the noisiest levels are not forgotten.
    """

    def forward(self, step: DenoisingStep) -> Float[Tensor, ""]:
        error = reduce((step.x0_hat - step.x0).square(), "b c f h w -> b", "mean")
        snr = step.alpha_bar / (1 - step.alpha_bar)
        return (error * snr.clamp(min=1)).mean()
