"""How the way between noise and latents is walked, in both directions."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from giftune.sampling.dpm_solver import invert_dpm_solver, sample_dpm_solver
from giftune.sampling.inversion import invert
from giftune.sampling.sampler import sample


class Solver(NamedTuple):
    """A sampler and the inversion that belongs to it, on the same timesteps."""

    name: str
    sample: Callable[..., Tensor]
    invert: Callable[..., Tensor]


DDIM = Solver("ddim", sample, invert)
DPM_SOLVER = Solver("dpm_solver", sample_dpm_solver, invert_dpm_solver)


def ddim() -> Solver:
    """Song et al. 2021: first order, in any number of steps."""
    return DDIM


def dpm_solver() -> Solver:
    """DPM-Solver++(2M), Lu et al. 2022: second order, in 10 to 25 steps."""
    return DPM_SOLVER
