import pytest
import torch

from giftune.diffusion.timesteps import draw_timesteps
from giftune.errors import InputError


@pytest.mark.parametrize("power", [0.5, 1.0, 3.0])
def test_the_share_below_each_timestep_is_its_power(rng, power):
    drawn = draw_timesteps(20_000, 50, rng, power)
    assert (drawn.min() == 0 and drawn.max() == 49) or (power == 3.0 and drawn.max() == 49)
    for t in (10, 25, 40):
        assert float((drawn < t).float().mean()) == pytest.approx((t / 50) ** power, abs=0.015)


def test_uniform_is_the_draw_that_it_always_was():
    seeds = (torch.Generator().manual_seed(3) for _ in range(2))
    assert torch.equal(draw_timesteps(9, 1000, next(seeds)), torch.randint(1000, (9,), generator=next(seeds)))


@pytest.mark.parametrize("power", [0.0, -1.0, float("nan")])
def test_refuses(rng, power):
    with pytest.raises(InputError, match="timestep_power is"):
        draw_timesteps(1, 10, rng, power)
