import pytest
import torch
from diffusers import LCMScheduler

from giftune.diffusion.lcm import consistency, lcm_timesteps
from giftune.diffusion.prediction import to_epsilon
from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError


@pytest.mark.parametrize("num_steps", range(1, 51))
def test_timesteps_are_those_of_diffusers(num_steps):
    oracle = LCMScheduler()
    oracle.set_timesteps(num_steps)
    assert lcm_timesteps(1000, num_steps) == oracle.timesteps.tolist()


def test_timesteps_of_another_distillation():
    oracle = LCMScheduler(original_inference_steps=100)
    oracle.set_timesteps(7)
    assert lcm_timesteps(1000, 7, 100) == oracle.timesteps.tolist()


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_the_jump_equals_diffusers(prediction_type, rng):
    oracle = LCMScheduler(prediction_type=prediction_type, beta_schedule="linear")
    schedule = Schedule.from_config(oracle.config)
    sample, output = torch.randn(2, 1, 4, 3, 8, 8, generator=rng)
    oracle.set_timesteps(6)
    for t in lcm_timesteps(1000, 6):
        alpha_bar = schedule.alpha_bar(t)
        ours = consistency(sample, to_epsilon(output, sample, alpha_bar, prediction_type), alpha_bar, t)
        expected = oracle.step(output, torch.tensor(t), sample).denoised
        torch.testing.assert_close(ours, expected, rtol=1e-4, atol=1e-5)


def test_near_the_data_it_changes_nothing(rng):
    """The boundary condition of consistency models: at t = 0 the function is the identity."""
    sample, epsilon = torch.randn(2, 1, 4, 3, 8, 8, generator=rng)
    assert torch.equal(consistency(sample, epsilon, torch.tensor(0.9), 0), sample)


@pytest.mark.parametrize("num_steps", [0, -1, 51])
def test_no_more_steps_than_were_distilled(num_steps):
    with pytest.raises(InputError, match=f"num_steps is {num_steps}, it must be between 1 and 50"):
        lcm_timesteps(1000, num_steps)
