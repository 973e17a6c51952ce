import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.distillation import single_step
from giftune.diffusion.schedule import Schedule

CONFIG = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "steps_offset": 1,
    "set_alpha_to_one": False,
}


def scheduler(num_steps):
    found = DDIMScheduler(**CONFIG, clip_sample=False)
    found.set_timesteps(num_steps)
    return found


@pytest.fixture
def draw():
    generator = torch.Generator().manual_seed(0)
    return lambda: torch.randn(1, 4, 3, 5, 6, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("start", [901, 501, 101])
def test_one_step_leads_where_two_of_the_teacher_led(draw, start):
    """By diffusers' scheduler of twice the steps, along two unrelated predictions, and back with ours."""
    teacher, student, z = scheduler(20), scheduler(10), draw()
    between = teacher.step(draw(), start, z).prev_sample
    reached = teacher.step(draw(), start - 50, between).prev_sample
    levels = Schedule.from_config(CONFIG).alphas_cumprod[[start, start - 100]].double()
    x0, epsilon = single_step(z, reached, *levels)
    torch.testing.assert_close(student.step(epsilon, start, z).prev_sample, reached, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ddim_step(z, epsilon, *levels), reached)
    (alpha, sigma), (alpha_to, sigma_to) = ((a**0.5, (1 - a) ** 0.5) for a in levels)
    ratio = sigma_to / sigma
    torch.testing.assert_close(x0, (reached - ratio * z) / (alpha_to - ratio * alpha))  # as in the paper
    torch.testing.assert_close(alpha * x0 + sigma * epsilon, z)


def test_along_one_prediction_it_is_that_prediction(draw):
    z, epsilon = draw(), draw()
    levels = torch.tensor([0.1, 0.3, 0.8], dtype=torch.float64)
    reached = ddim_step(ddim_step(z, epsilon, levels[0], levels[1]), epsilon, levels[1], levels[2])
    torch.testing.assert_close(single_step(z, reached, levels[0], levels[2])[1], epsilon)
