import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.schedule import Schedule
from giftune.sampling.inversion import invert
from giftune.sampling.sampler import sample

SHAPE = (2, 4, 3, 8, 8)


@pytest.fixture
def schedule() -> Schedule:
    return Schedule.from_config({"set_alpha_to_one": False, "steps_offset": 1})


@pytest.mark.parametrize("num_steps", [2, 7, 50])
def test_sampling_undoes_inversion_when_the_noise_does_not_depend_on_the_latents(schedule, rng, num_steps):
    latents, direction = torch.randn(2, *SHAPE, generator=rng, dtype=torch.float64)

    def denoise(x, t):
        return direction * (1 + t / 1000)

    noise = invert(denoise, latents, schedule, num_steps)
    assert not torch.allclose(noise, latents, atol=0.1)
    torch.testing.assert_close(sample(denoise, noise, schedule, num_steps), latents)


def test_each_step_asks_for_the_noise_at_the_level_it_goes_to(schedule, rng):
    """Tune-A-Video asks epsilon(x_previous, t); a diffusers step with it leads back."""
    latents, asked, states = torch.randn(SHAPE, generator=rng), [], []

    def denoise(x, t):
        asked.append((x, t))
        return torch.sin(x)

    result = invert(denoise, latents, schedule, 10, lambda step, x: states.append(x))
    assert [t for _, t in asked] == list(range(1, 1000, 100))
    assert all(torch.equal(x, before) for (x, _), before in zip(asked, [latents, *states], strict=False))
    oracle = DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    oracle.set_timesteps(10)
    for t, before, after in zip(oracle.timesteps.flip(0).tolist(), [latents, *states], states, strict=False):
        undone = oracle.step(torch.sin(before), t, after).prev_sample
        torch.testing.assert_close(undone, before, rtol=1e-4, atol=1e-5)
    assert torch.equal(result, states[-1])
