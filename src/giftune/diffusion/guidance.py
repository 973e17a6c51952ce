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


def guided_by_two(
    nothing: Float[Tensor, "*shape"],
    image: Float[Tensor, "*shape"],
    both: Float[Tensor, "*shape"],
    image_scale: float,
    text_scale: float,
) -> Float[Tensor, "*shape"]:
    """Extrapolate along an image and, from there, along a text; with both scales 1 it is `both`.

    Eq. 3 of InstructPix2Pix (Brooks et al. 2023).
    """
    return nothing + image_scale * (image - nothing) + text_scale * (both - image)
