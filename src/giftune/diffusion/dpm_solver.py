"""DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++", algorithm 2): an ODE solver of second order.

Between two noise levels the solution is exact but for what the network says on the way. DDIM takes that as
constant; here it goes on in a straight line, in the half log-SNR lambda, from the level before.
"""

from jaxtyping import Float
from torch import Tensor

from giftune.diffusion._amplitudes import amplitudes
from giftune.diffusion.prediction import Level, add_noise


def log_snr_half(alpha_bar: Float[Tensor, "*b"]) -> Float[Tensor, "*b"]:
    """lambda = log(sqrt(alpha_bar) / sqrt(1 - alpha_bar)), infinite without noise."""
    return 0.5 * (alpha_bar.double().log() - (1 - alpha_bar.double()).log())


def extrapolated(
    now: Float[Tensor, "b c *f h w"],
    before: Float[Tensor, "b c *f h w"],
    alpha_bar_before: Float[Tensor, ""],
    alpha_bar_from: Float[Tensor, ""],
    alpha_bar_to: Float[Tensor, ""],
) -> Float[Tensor, "b c *f h w"]:
    """(1 + 1 / 2r) `now` - (1 / 2r) `before`, r the ratio of the last step to this one (line 8).

    What the network says half-way on, by a line through what it said here and at the level before. It serves
    for x_0 and, going up, for epsilon. Without noise at the level before it is `now`.
    """
    last, this = (
        log_snr_half(b) - log_snr_half(a)
        for a, b in ((alpha_bar_before, alpha_bar_from), (alpha_bar_from, alpha_bar_to))
    )
    return now + float(this / (2 * last)) * (now - before)


def dpm_step(
    sample: Float[Tensor, "b c *f h w"],
    x0: Float[Tensor, "b c *f h w"],
    alpha_bar_from: Level,
    alpha_bar_to: Level,
) -> Float[Tensor, "b c *f h w"]:
    """Move `sample` between noise levels if the network says `x0` all the way (eq. 9, first order: DDIM)."""
    signal, sigma = amplitudes(alpha_bar_from, sample)
    return add_noise(x0, (sample - signal * x0) / sigma, alpha_bar_to)
