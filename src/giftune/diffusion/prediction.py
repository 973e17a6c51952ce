"""What a denoiser predicts, and how the predictions convert into each other.

With a = sqrt(alpha_bar) and s = sqrt(1 - alpha_bar): x_t = a x_0 + s eps (DDPM, eq. 4) and v = a eps - s x_0
(Salimans and Ho 2022, appendix D), hence x_0 = a x_t - s v and eps = s x_t + a v.
"""

from jaxtyping import Float
from torch import Tensor

from giftune.diffusion._amplitudes import amplitudes
from giftune.diffusion.schedule import PredictionType

Level = Float[Tensor, ""] | Float[Tensor, "b"]


def add_noise(
    x0: Float[Tensor, "b c *f h w"], noise: Float[Tensor, "b c *f h w"], alpha_bar: Level
) -> Float[Tensor, "b c *f h w"]:
    """x_t from x_0 and eps."""
    signal, sigma = amplitudes(alpha_bar, x0)
    return signal * x0 + sigma * noise


def target(
    x0: Float[Tensor, "b c *f h w"],
    noise: Float[Tensor, "b c *f h w"],
    alpha_bar: Level,
    prediction_type: PredictionType,
) -> Float[Tensor, "b c *f h w"]:
    """What the network is trained to output: eps or v."""
    if prediction_type == "epsilon":
        return noise
    signal, sigma = amplitudes(alpha_bar, x0)
    return signal * noise - sigma * x0


def to_epsilon(
    output: Float[Tensor, "b c *f h w"],
    sample: Float[Tensor, "b c *f h w"],
    alpha_bar: Level,
    prediction_type: PredictionType,
) -> Float[Tensor, "b c *f h w"]:
    """eps from the network's output at x_t = `sample`."""
    if prediction_type == "epsilon":
        return output
    signal, sigma = amplitudes(alpha_bar, sample)
    return signal * output + sigma * sample


def to_x0(
    output: Float[Tensor, "b c *f h w"],
    sample: Float[Tensor, "b c *f h w"],
    alpha_bar: Level,
    prediction_type: PredictionType,
) -> Float[Tensor, "b c *f h w"]:
    """x_0 from the network's output at x_t = `sample`."""
    signal, sigma = amplitudes(alpha_bar, sample)
    if prediction_type == "epsilon":
        return (sample - sigma * output) / signal
    return signal * sample - sigma * output
