import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.dpm_solver import dpm_step, extrapolated, log_snr_half
from giftune.diffusion.prediction import to_x0
from giftune.diffusion.schedule import Schedule

SCHEDULE = Schedule.from_config({"set_alpha_to_one": True})


def test_log_snr_is_that_of_diffusers():
    oracle = DPMSolverMultistepScheduler()
    found = torch.stack([log_snr_half(SCHEDULE.alpha_bar(t)) for t in (0, 300, 999)])
    torch.testing.assert_close(found.float(), oracle.lambda_t[[0, 300, 999]], atol=1e-5, rtol=1e-5)
    assert log_snr_half(SCHEDULE.alpha_bar(-1)) == float("inf")


@pytest.mark.parametrize(("start", "end"), [(800, 300), (300, -1), (300, 800)])
def test_of_first_order_it_is_ddim(rng, start, end):
    sample, epsilon = torch.randn(2, 1, 4, 3, 8, 8, generator=rng, dtype=torch.float64)
    levels = SCHEDULE.alpha_bar(start).double(), SCHEDULE.alpha_bar(end).double()
    x0 = to_x0(epsilon, sample, levels[0], "epsilon")
    torch.testing.assert_close(dpm_step(sample, x0, *levels), ddim_step(sample, epsilon, *levels))


@pytest.mark.parametrize("timesteps", [(900, 700, 400), (100, 400, 700)])
def test_what_is_straight_in_lambda_is_met_half_way(rng, timesteps):
    """Downwards and upwards."""
    base, slope = torch.randn(2, 1, 4, 3, 2, 2, generator=rng)
    levels = [SCHEDULE.alpha_bar(t) for t in timesteps]
    before, now, after = (base + slope * log_snr_half(level).float() for level in levels)
    torch.testing.assert_close(extrapolated(now, before, *levels), (now + after) / 2, atol=1e-5, rtol=1e-4)


def test_without_noise_at_the_level_before_nothing_is_extrapolated(rng):
    now, before = torch.randn(2, 1, 4, 3, 2, 2, generator=rng)
    levels = [SCHEDULE.alpha_bar(t) for t in (-1, 1, 300)]
    assert torch.equal(extrapolated(now, before, *levels), now)
