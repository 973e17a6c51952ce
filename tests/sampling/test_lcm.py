import pytest
import torch
from diffusers import LCMScheduler

from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError
from giftune.sampling.lcm import sample_lcm


@pytest.fixture
def oracle() -> LCMScheduler:
    return LCMScheduler(beta_schedule="linear")


def denoise(latents, t):
    return torch.tanh(latents) * t / 1000 + 0.1


@pytest.mark.parametrize("kept", [6, 4, 1])
def test_equals_the_loop_of_diffusers(oracle, rng, kept):
    schedule, shape = Schedule.from_config(oracle.config), (1, 4, 3, 8, 8)
    noise = torch.randn(shape, generator=rng)
    oracle.set_timesteps(6)
    timesteps = oracle.timesteps[6 - kept :]
    oracle.set_begin_index(6 - kept)
    expected, injected = noise, torch.Generator().manual_seed(1)
    for t in timesteps:
        expected = oracle.step(denoise(expected, t), t, expected, generator=injected).prev_sample
    injected = torch.Generator().manual_seed(1)
    fresh = [torch.randn(shape, generator=injected) for _ in timesteps[1:]]
    steps = []
    ours = sample_lcm(denoise, noise, schedule, 6, lambda *args: steps.append(args), slice(6 - kept, None),
                      fresh=fresh)  # fmt: skip
    torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)
    assert [step for step, _ in steps] == list(range(1, kept + 1))
    assert torch.equal(steps[-1][1], ours)


def test_every_clip_of_a_batch_gets_the_same_fresh_noise(oracle, rng):
    schedule = Schedule.from_config(oracle.config)
    noise, *fresh = torch.randn(4, 1, 4, 3, 8, 8, generator=rng)
    one = sample_lcm(denoise, noise, schedule, 4, fresh=fresh)
    two = sample_lcm(denoise, noise.expand(2, -1, -1, -1, -1), schedule, 4, fresh=fresh)
    torch.testing.assert_close(two, one.expand_as(two))


def test_overflow_is_reported(oracle):
    schedule = Schedule.from_config(oracle.config)
    with pytest.raises(InputError, match="no longer finite"):
        sample_lcm(lambda x, t: x * float("inf"), torch.ones(1, 4, 1, 2, 2), schedule, 1, fresh=[])
