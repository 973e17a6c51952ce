"""Classifier-free guidance (Ho and Salimans 2022)."""

from jaxtyping import Float
from torch import Tensor


def guided(
    unconditional: Float[Tensor, "*shape"], conditional: Float[Tensor, "*shape"], scale: float
) -> Float[Tensor, "*shape"]:
    """Extrapolate from the unconditional through the conditional prediction; scale 1 is the conditional one.

    Eq. 6 of the paper with w = `scale` - 1.
    """
    return unconditional + scale * (conditional - unconditional)
