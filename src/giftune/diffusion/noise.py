"""Gaussian noise over the frames of a clip: always of variance 1, with different correlation in time.

`mixed` and `progressive` are the noise of PYoCo (Ge et al. 2023) with its parameter a; `shared` and
`autocorrelated` are the same by the correlation of neighbouring frames: rho = a^2 / (1 + a^2) and
a / sqrt(1 + a^2).
"""

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.errors import InputError

Shape = tuple[int, int, int, int, int]


def independent(
    shape: Shape, generator: Generator, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> Float[Tensor, "b c f h w"]:
    """Uncorrelated frames, drawn on the CPU so that a seed means the same on every device."""
    return torch.randn(shape, generator=generator).to(device, dtype)


def shared(
    shape: Shape,
    generator: Generator,
    rho: float = 1.0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "b c f h w"]:
    """Any two frames have correlation `rho`, with 1 they are equal. Raises `InputError` outside [0, 1]."""
    _check(rho)
    b, c, _, h, w = shape
    common = torch.randn((b, c, 1, h, w), generator=generator)
    own = torch.randn(shape, generator=generator)
    return (rho**0.5 * common + (1 - rho) ** 0.5 * own).to(device, dtype)


def autocorrelated(
    shape: Shape,
    generator: Generator,
    rho: float,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "b c f h w"]:
    """Frames i and j have correlation `rho` ** abs(i - j). Raises `InputError` outside [0, 1]."""
    _check(rho)
    frames = list(torch.randn(shape, generator=generator).unbind(dim=2))
    for i in range(1, len(frames)):
        frames[i] = rho * frames[i - 1] + (1 - rho**2) ** 0.5 * frames[i]
    return torch.stack(frames, dim=2).to(device, dtype)


def mixed(
    shape: Shape,
    generator: Generator,
    a: float = 1.0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "b c f h w"]:
    """One noise for all frames, of variance a^2 / (1 + a^2), and one of each frame for the rest.

    Raises `InputError` for a negative a.
    """
    _check_ratio(a)
    return shared(shape, generator, a**2 / (1 + a**2), device, dtype)


def progressive(
    shape: Shape,
    generator: Generator,
    a: float = 1.0,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "b c f h w"]:
    """Each frame's noise is a / sqrt(1 + a^2) of the one before, and new noise of variance 1 / (1 + a^2).

    Raises `InputError` for a negative a.
    """
    _check_ratio(a)
    return autocorrelated(shape, generator, a / (1 + a**2) ** 0.5, device, dtype)


def _check(rho: float) -> None:
    if not 0 <= rho <= 1:
        raise InputError(f"rho is {rho}, it must be between 0 and 1")


def _check_ratio(a: float) -> None:
    if not 0 <= a < float("inf"):
        raise InputError(f"a is {a}, it must be at least 0 and finite")
