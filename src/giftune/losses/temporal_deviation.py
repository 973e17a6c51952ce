"""Errors of what moves, apart from errors of what all frames share."""

from jaxtyping import Float
from torch import Tensor

from giftune.losses.step import DenoisingStep


def temporal_deviation(step: DenoisingStep) -> Float[Tensor, ""]:
    """mean |e - mean over frames of e|^2 of the error e = prediction - target; our own definition.

    Beside the reconstruction it weighs motion more and changes nothing else: both are squares of parts of the
    same error, so that the best prediction stays the same. Most of what is uncertain at high noise is how
    things look, which all frames share, and drowns the gradient of how they move. Zero for a single frame.
    """
    error = step.prediction - step.target
    return (error - error.mean(dim=2, keepdim=True)).square().mean()
