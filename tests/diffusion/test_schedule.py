import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError

STABLE_DIFFUSION = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "set_alpha_to_one": False,
    "steps_offset": 1,
}
CONFIGS = {
    "defaults": {},
    "stable_diffusion": STABLE_DIFFUSION,
    "cosine": {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 60},
    "trained": {"trained_betas": [0.1, 0.2, 0.3, 0.4], "num_train_timesteps": 4},
    "zero_snr": {**STABLE_DIFFUSION, "rescale_betas_zero_snr": True, "prediction_type": "v_prediction"},
}


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS.keys())
def test_levels_equal_diffusers(config):
    schedule, oracle = Schedule.from_config(config), DDIMScheduler(**config)
    torch.testing.assert_close(schedule.alphas_cumprod, oracle.alphas_cumprod, rtol=1e-6, atol=1e-7)
    assert schedule.alpha_bar(-1) == oracle.final_alpha_cumprod
    assert schedule.prediction_type == oracle.config.prediction_type


@pytest.mark.parametrize("num_steps", [1, 3, 10, 50, 333, 999])
@pytest.mark.parametrize("config", [{}, STABLE_DIFFUSION], ids=["offset_0", "offset_1"])
def test_timesteps_equal_diffusers(num_steps, config):
    schedule, oracle = Schedule.from_config(config), DDIMScheduler(**config)
    oracle.set_timesteps(num_steps)
    assert schedule.timesteps(num_steps).tolist() == oracle.timesteps.tolist()


def test_every_pair_starts_where_the_one_before_ended():
    pairs = Schedule.from_config(STABLE_DIFFUSION).pairs(10)
    assert [t for t, _ in pairs] == list(range(901, 0, -100))
    assert [previous for _, previous in pairs] == [*range(801, 0, -100), -1]


@pytest.mark.parametrize("num_steps", [-1, 0, 1000, 1001])
def test_steps_that_do_not_fit_are_refused(num_steps):
    with pytest.raises(InputError, match=f"num_steps is {num_steps}, it must be between 1 and 999"):
        Schedule.from_config(STABLE_DIFFUSION).timesteps(num_steps)


def test_alpha_bar_takes_whole_batches_and_the_final_level():
    schedule = Schedule.from_config(STABLE_DIFFUSION)
    levels = schedule.alpha_bar(torch.tensor([999, 0, -1]))
    torch.testing.assert_close(levels, schedule.alphas_cumprod[[999, 0, 0]])


def test_snr_is_the_ratio_of_the_two_powers():
    schedule = Schedule.from_config(STABLE_DIFFUSION)
    alpha_bar = DDIMScheduler(**STABLE_DIFFUSION).alphas_cumprod[500]
    torch.testing.assert_close(schedule.snr(500), alpha_bar.sqrt() ** 2 / (1 - alpha_bar).sqrt() ** 2)


@pytest.mark.parametrize(
    "config", [{"prediction_type": "sample"}, {"beta_schedule": "laplace"}, {"rescale_betas_zero_snr": True}]
)
def test_unsupported_configurations_are_refused_by_name(config):
    with pytest.raises(InputError, match=next(iter(config))):
        Schedule.from_config(config)


def test_another_spacing_is_replaced_aloud():
    with pytest.warns(UserWarning, match="trailing"):
        Schedule.from_config({"timestep_spacing": "trailing"})
