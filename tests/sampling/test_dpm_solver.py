import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from einops import rearrange

from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError
from giftune.sampling.dpm_solver import invert_dpm_solver, sample_dpm_solver
from giftune.sampling.inversion import invert
from giftune.sampling.sampler import sample

SHAPE = (1, 4, 3, 8, 8)
STABLE_DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def make_schedule(set_alpha_to_one):
    return Schedule.from_config({**STABLE_DIFFUSION, "set_alpha_to_one": set_alpha_to_one, "steps_offset": 1})


def denoise(latents, t):
    return torch.tanh(latents) * t / 1000 + 0.1 * latents


@pytest.mark.parametrize("num_steps", [1, 2, 3, 10, 25])
@pytest.mark.parametrize("set_alpha_to_one", [False, True])
def test_equals_the_loop_of_diffusers(rng, num_steps, set_alpha_to_one):
    noise, schedule = torch.randn(SHAPE, generator=rng), make_schedule(set_alpha_to_one)
    oracle = DPMSolverMultistepScheduler(
        **STABLE_DIFFUSION,
        final_sigmas_type="zero" if set_alpha_to_one else "sigma_min",
        euler_at_final=True,
    )
    oracle.set_timesteps(timesteps=schedule.timesteps(num_steps).tolist())
    expected, seen, steps = noise, [], []
    for t in oracle.timesteps:
        expected = oracle.step(denoise(expected, int(t)), t, expected).prev_sample
        seen.append(expected)
    found = sample_dpm_solver(denoise, noise, schedule, num_steps, lambda *args: steps.append(args))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.stack([x for _, x in steps]), torch.stack(seen), atol=1e-5, rtol=1e-5)
    assert [step for step, _ in steps] == list(range(1, num_steps + 1))


@pytest.mark.parametrize(("first", "second"), [(sample, sample_dpm_solver), (invert, invert_dpm_solver)])
def test_of_second_order_where_ddim_is_of_first(rng, first, second):
    """Of normal latents every x_t is normal too, so the way leads nowhere: epsilon is sigma_t x_t."""
    schedule, latents = make_schedule(False), torch.randn(SHAPE, generator=rng, dtype=torch.float64)

    def exact(x, t):
        return (1 - schedule.alpha_bar(t).double()).sqrt() * x

    def errors(walk):
        return [float((walk(exact, latents, schedule, n) - latents).abs().max()) for n in (40, 160)]

    slow, fast = errors(first), errors(second)
    assert 3.5 < slow[0] / slow[1] < 4.5 < 6 < fast[0] / fast[1]
    assert fast[1] < 0.2 * slow[1]


@pytest.mark.parametrize("set_alpha_to_one", [False, True])
def test_ten_steps_lead_back_better_than_fifty_of_ddim(rng, set_alpha_to_one):
    """Of latents around a few points, towards which the way is curved."""
    schedule, shape = make_schedule(set_alpha_to_one), (1, 16, 3, 4, 4)
    modes = torch.randn(5, 16, 1, 1, 1, generator=rng, dtype=torch.float64)

    def exact(latents, t):
        alpha_bar = schedule.alpha_bar(t).double()
        variance = alpha_bar * 0.05 + 1 - alpha_bar
        offsets = latents[:, None] - alpha_bar.sqrt() * modes
        nearness = -offsets.square().sum(dim=2, keepdim=True) / (2 * variance)
        return (1 - alpha_bar).sqrt() / variance * (nearness.softmax(dim=1) * offsets).sum(dim=1)

    places = torch.randint(5, (3, 4, 4), generator=rng)
    latents = rearrange(modes[places], "f h w c 1 1 1 -> 1 c f h w")
    latents = latents + 0.05**0.5 * torch.randn(shape, generator=rng, dtype=torch.float64)
    few = sample_dpm_solver(exact, invert_dpm_solver(exact, latents, schedule, 10), schedule, 10)
    many = sample(exact, invert(exact, latents, schedule, 50), schedule, 50)
    mixed = sample_dpm_solver(exact, invert(exact, latents, schedule, 10), schedule, 10)
    lost = [float((back - latents).square().mean().sqrt()) for back in (few, many, mixed)]
    assert lost[0] < lost[1] and lost[0] < 0.8 * lost[2]


def test_inversion_asks_where_it_stands(rng):
    asked, schedule = [], make_schedule(False)
    latents = torch.randn(SHAPE, generator=rng)
    invert_dpm_solver(lambda x, t: asked.append(t) or 0 * x, latents, schedule, 5)
    assert asked == [0, 1, 201, 401, 601]


def test_overflow_is_reported():
    schedule = make_schedule(False)
    for direction in (sample_dpm_solver, invert_dpm_solver):
        with pytest.raises(InputError, match="no longer finite"):
            direction(lambda x, t: x * 1e30, torch.ones(1, 4, 1, 2, 2), schedule, 5)
