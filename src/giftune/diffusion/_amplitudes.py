"""How much signal and how much noise a sample holds at a noise level."""

import torch
from jaxtyping import Float
from torch import Tensor


def amplitudes(
    alpha_bar: Float[Tensor, "#b"] | Float[Tensor, ""], sample: Float[Tensor, "b *rest"]
) -> tuple[Tensor, Tensor]:
    """sqrt(alpha_bar) and sqrt(1 - alpha_bar), shaped and typed to multiply `sample`."""
    # The roots are taken in the wider type: bfloat16 holds 1 - alpha_bar to two digits only.
    alpha_bar = alpha_bar.to(sample.device, torch.promote_types(alpha_bar.dtype, sample.dtype))
    if alpha_bar.ndim == 1:
        alpha_bar = alpha_bar.reshape(-1, *(1,) * (sample.ndim - 1))
    return alpha_bar.sqrt().to(sample.dtype), (1 - alpha_bar).sqrt().to(sample.dtype)
