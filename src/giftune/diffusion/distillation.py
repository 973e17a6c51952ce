"""Progressive distillation: one step of a student for two of its teacher (Salimans and Ho 2022)."""

from jaxtyping import Float
from torch import Tensor

from giftune.diffusion._amplitudes import amplitudes
from giftune.diffusion.prediction import Level


def single_step(
    sample: Float[Tensor, "b c *f h w"],
    reached: Float[Tensor, "b c *f h w"],
    alpha_bar_from: Level,
    alpha_bar_to: Level,
) -> tuple[Float[Tensor, "b c *f h w"], Float[Tensor, "b c *f h w"]]:
    """x_0 and eps with which one DDIM step leads from `sample` to `reached`.

    x_0 is that of appendix G, (z'' - (sigma'' / sigma) z) / (alpha'' - (sigma'' / sigma) alpha), where alpha
    and sigma are amplitudes and '' marks the lower level. Both levels must differ.
    """
    signal, sigma = amplitudes(alpha_bar_from, sample)
    signal_to, sigma_to = amplitudes(alpha_bar_to, sample)
    between = signal_to * sigma - signal * sigma_to
    x0 = (sigma * reached - sigma_to * sample) / between
    epsilon = (signal_to * sample - signal * reached) / between
    return x0, epsilon
