"""At which noise a network learns."""

import torch
from jaxtyping import Int
from torch import Generator, Tensor

from giftune.errors import InputError


def draw_timesteps(count: int, total: int, generator: Generator, power: float = 1.0) -> Int[Tensor, "b"]:
    """`count` of 0 ... total - 1 with a density that grows as t^(power - 1); uniform at 1, as ever.

    Where things are, and so how they move, is decided at high noise: a power above 1 learns more of that.
    Ours. Raises `InputError` for a power that is not positive.
    """
    if not power > 0:
        raise InputError(f"timestep_power is {power}, it must be positive.")
    if power == 1:
        return torch.randint(total, (count,), generator=generator)
    drawn = torch.rand(count, generator=generator, dtype=torch.float64) ** (1 / power)
    return (total * drawn).long().clamp(max=total - 1)
