"""Comparing relative depth maps, each of which has a scale and a shift of its own."""

from jaxtyping import Float
from torch import Tensor, finfo


def align(
    prediction: Float[Tensor, "b f h w"], target: Float[Tensor, "b f h w"], weight: Float[Tensor, "b f h w"]
) -> Float[Tensor, "b f h w"]:
    """scale * prediction + shift, frame by frame, nearest to the target (Ranftl et al. 2020, eq. 4).

    Weighted least squares, with gradients. Unlike there the scale is never negative: depth turned inside out
    is as wrong as no depth at all.
    """
    mass = _positive(weight.sum((-2, -1), keepdim=True))

    def mean(values: Tensor) -> Tensor:
        return (weight * values).sum((-2, -1), keepdim=True) / mass

    centre, goal = mean(prediction), mean(target)
    centred = prediction - centre
    rounding = finfo(prediction.dtype).eps * mean(prediction.square())
    variance = _positive(mean(centred.square()).maximum(rounding.detach()))
    scale = (mean(centred * (target - goal)) / variance).clamp(min=0)
    return scale * centred + goal


def squared_error(residual: Float[Tensor, "b f h w"], weight: Float[Tensor, "b f h w"]) -> Float[Tensor, "b"]:
    """The weighted mean of the squares over all frames."""
    return (weight * residual.square()).sum((1, 2, 3)) / _positive(weight.sum((1, 2, 3)))


def gradient_error(
    residual: Float[Tensor, "b f h w"], weight: Float[Tensor, "b f h w"], num_scales: int
) -> Float[Tensor, "b"]:
    """Sum over scales k of mean(|dx R_k| + |dy R_k|), where R_k is every 2^k-th pixel (eq. 11).

    A difference has the product of the weights at its two ends.
    """
    total = residual.new_zeros(len(residual))
    for k in range(num_scales):
        r, w = residual[..., :: 2**k, :: 2**k], weight[..., :: 2**k, :: 2**k]
        across = r.diff(dim=-1).abs() * w[..., 1:] * w[..., :-1]
        down = r.diff(dim=-2).abs() * w[..., 1:, :] * w[..., :-1, :]
        total = total + (across.sum((1, 2, 3)) + down.sum((1, 2, 3))) / _positive(w.sum((1, 2, 3)))
    return total


def _positive(values: Tensor) -> Tensor:
    return values.clamp(min=finfo(values.dtype).tiny)
