import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion._betas import make_betas


@pytest.mark.parametrize("beta_schedule", ["linear", "scaled_linear", "squaredcos_cap_v2"])
@pytest.mark.parametrize("rescale_betas_zero_snr", [False, True])
def test_betas_equal_diffusers(beta_schedule, rescale_betas_zero_snr):
    config = {
        "beta_schedule": beta_schedule,
        "rescale_betas_zero_snr": rescale_betas_zero_snr,
        "num_train_timesteps": 100,
        "beta_end": 0.1,
    }
    torch.testing.assert_close(make_betas(config), DDIMScheduler(**config).betas, rtol=1e-6, atol=1e-6)


def test_zero_terminal_snr_ends_in_pure_noise():
    betas = make_betas({"rescale_betas_zero_snr": True})
    assert torch.cumprod(1 - betas, dim=0)[-1] == 0
