import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.ddim import ddim_step
from giftune.diffusion.prediction import to_epsilon
from giftune.diffusion.schedule import Schedule


@pytest.mark.parametrize("set_alpha_to_one", [True, False])
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_step_equals_diffusers(prediction_type, set_alpha_to_one, rng):
    oracle = DDIMScheduler(
        clip_sample=False, prediction_type=prediction_type, set_alpha_to_one=set_alpha_to_one, steps_offset=1
    )
    oracle.set_timesteps(10)
    schedule = Schedule.from_config(oracle.config)
    sample, output = torch.randn(2, 4, 3, 8, 8, generator=rng), torch.randn(2, 4, 3, 8, 8, generator=rng)
    for t, previous in schedule.pairs(10):
        here, there = schedule.alpha_bar(t), schedule.alpha_bar(previous)
        moved = ddim_step(sample, to_epsilon(output, sample, here, prediction_type), here, there)
        torch.testing.assert_close(moved, oracle.step(output, t, sample).prev_sample, rtol=1e-5, atol=1e-5)


def test_going_up_undoes_going_down(rng):
    sample, epsilon = torch.randn(2, 2, 4, 5, 8, 8, generator=rng, dtype=torch.float64)
    low, high = torch.tensor([0.9, 0.7]), torch.tensor([0.2, 0.1])
    back = ddim_step(ddim_step(sample, epsilon, low, high), epsilon, high, low)
    torch.testing.assert_close(back, sample, rtol=0, atol=1e-14)
    assert not torch.allclose(ddim_step(sample, epsilon, low, high), sample)


def test_bfloat16_samples_stay_bfloat16(rng):
    sample = torch.randn(1, 4, 2, 4, 4, generator=rng).bfloat16()
    assert ddim_step(sample, sample, torch.tensor([0.5]), torch.tensor(0.9)).dtype == torch.bfloat16
