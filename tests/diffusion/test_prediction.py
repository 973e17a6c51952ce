import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.prediction import add_noise, target, to_epsilon, to_x0
from giftune.diffusion.schedule import Schedule

SHAPE = (3, 4, 5, 8, 8)


@pytest.fixture
def oracle() -> DDIMScheduler:
    return DDIMScheduler(prediction_type="v_prediction")


@pytest.fixture
def batch(rng, oracle):
    t = torch.tensor([10, 400, 990])
    x0, noise = torch.randn(2, *SHAPE, generator=rng)
    return x0, noise, t, Schedule.from_config(oracle.config).alpha_bar(t)


def test_add_noise_equals_diffusers(batch, oracle):
    x0, noise, t, alpha_bar = batch
    torch.testing.assert_close(add_noise(x0, noise, alpha_bar), oracle.add_noise(x0, noise, t))


def test_velocity_equals_diffusers(batch, oracle):
    x0, noise, t, alpha_bar = batch
    torch.testing.assert_close(
        target(x0, noise, alpha_bar, "v_prediction"), oracle.get_velocity(x0, noise, t)
    )


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_perfect_output_gives_back_image_and_noise(prediction_type, batch):
    x0, noise, _, alpha_bar = (part.double() if part.is_floating_point() else part for part in batch)
    sample, output = add_noise(x0, noise, alpha_bar), target(x0, noise, alpha_bar, prediction_type)
    torch.testing.assert_close(to_x0(output, sample, alpha_bar, prediction_type), x0)
    torch.testing.assert_close(to_epsilon(output, sample, alpha_bar, prediction_type), noise)


def test_one_level_for_all_equals_a_level_each(batch):
    x0, noise, _, _ = batch
    each = add_noise(x0, noise, torch.full((3,), 0.3))
    torch.testing.assert_close(add_noise(x0, noise, torch.tensor(0.3)), each)


def test_images_without_a_frame_axis_work_too(batch, oracle):
    x0, noise, t, alpha_bar = batch
    noisy = add_noise(x0[:, :, 0], noise[:, :, 0], alpha_bar)
    torch.testing.assert_close(noisy, oracle.add_noise(x0, noise, t)[:, :, 0])
