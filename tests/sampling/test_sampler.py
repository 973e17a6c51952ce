import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError
from giftune.sampling.sampler import sample


@pytest.fixture
def oracle() -> DDIMScheduler:
    return DDIMScheduler(clip_sample=False, set_alpha_to_one=False, steps_offset=1)


def test_equals_the_loop_of_diffusers(oracle, rng):
    noise = torch.randn(1, 4, 3, 8, 8, generator=rng)

    def denoise(latents, t):
        return torch.tanh(latents) * t / 1000 + 0.1

    oracle.set_timesteps(10)
    expected, seen = noise, []
    for t in oracle.timesteps.tolist():
        expected = oracle.step(denoise(expected, t), t, expected).prev_sample
        seen.append(expected)
    steps = []
    result = sample(denoise, noise, Schedule.from_config(oracle.config), 10, lambda *args: steps.append(args))
    torch.testing.assert_close(result, expected, rtol=1e-4, atol=1e-5)
    assert [step for step, _ in steps] == list(range(1, 11))
    torch.testing.assert_close(torch.stack([x for _, x in steps]), torch.stack(seen), rtol=1e-4, atol=1e-5)


def test_an_exact_denoiser_of_one_image_finds_it(oracle, rng):
    """If every x_t comes from one x_0, the noise is known, and x_0 must remain in the same share."""
    x0, noise = torch.randn(2, 1, 4, 3, 8, 8, generator=rng, dtype=torch.float64)
    schedule = Schedule.from_config(oracle.config)

    def denoise(latents, t):
        alpha_bar = schedule.alpha_bar(t).double()
        return (latents - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()

    final = schedule.alpha_bar(-1).double()
    result = sample(denoise, noise, schedule, 20)
    left_over = (result - final.sqrt() * x0) / (1 - final).sqrt()
    start = schedule.alpha_bar(951).double()
    torch.testing.assert_close(left_over, (noise - start.sqrt() * x0) / (1 - start).sqrt())


def test_no_graph_is_kept_and_the_steps_run_in_the_type_of_the_latents(oracle, rng):
    weight = torch.ones((), requires_grad=True)
    schedule, noise = Schedule.from_config(oracle.config), torch.randn(1, 4, 2, 8, 8, generator=rng)
    result = sample(lambda x, t: (x * weight).bfloat16(), noise, schedule, 5)
    assert not result.requires_grad
    assert torch.equal(result, sample(lambda x, t: x.bfloat16().float(), noise, schedule, 5))


def test_overflow_is_reported(oracle):
    schedule = Schedule.from_config(oracle.config)
    with pytest.raises(InputError, match="no longer finite"):
        sample(lambda x, t: x * 1e30, torch.ones(1, 4, 1, 2, 2), schedule, 5)


def test_parts_of_the_steps_make_the_whole():
    schedule, calls = Schedule.from_config({"num_train_timesteps": 100}), []

    def denoise(latents, t):
        calls.append(t)
        return 0.1 * latents + t / 100

    noise = torch.randn(1, 2, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    whole = sample(denoise, noise, schedule, 10)
    half = sample(denoise, noise, schedule, 10, part=slice(4))
    torch.testing.assert_close(sample(denoise, half, schedule, 10, part=slice(4, None)), whole)
    assert calls[:10] == calls[10:]
