import pytest
import torch
from diffusers import DDIMScheduler

from giftune.diffusion.schedule import Schedule
from giftune.methods.denoiser import denoiser


def network(latents, t, text):
    """Something that depends on every input, clip by clip."""
    return torch.tanh(latents * text.mean(dim=(1, 2)).reshape(-1, 1, 1, 1, 1) + t / 1000)


@pytest.fixture
def inputs(rng):
    latents, text = torch.randn(2, 4, 3, 2, 2, generator=rng), torch.randn(2, 5, 6, generator=rng)
    return latents, text, torch.randn(1, 5, 6, generator=rng)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("guidance", [1.0, 7.5])
def test_branch_by_branch_and_clip_by_clip(inputs, prediction_type, guidance):
    latents, text, empty = inputs
    scheduler = DDIMScheduler(prediction_type=prediction_type)
    schedule = Schedule.from_config(scheduler.config)
    found = denoiser(network, schedule, text, empty, guidance)(latents, 400)
    for b in range(2):
        without = network(latents[b : b + 1], 400, empty)
        with_text = network(latents[b : b + 1], 400, text[b : b + 1])
        output = without + guidance * (with_text - without)
        if prediction_type == "v_prediction":
            alpha_bar = scheduler.alphas_cumprod[400]
            output = alpha_bar**0.5 * output + (1 - alpha_bar) ** 0.5 * latents[b : b + 1]
        torch.testing.assert_close(found[b : b + 1], output)


def test_scale_one_costs_one_pass(inputs):
    latents, text, _ = inputs
    sizes = []

    def counting(latents, t, text):
        sizes.append(len(latents))
        return network(latents, t, text)

    schedule = Schedule.from_config({})
    denoiser(counting, schedule, text)(latents, 10)
    denoiser(counting, schedule, text, inputs[2], 2.0)(latents, 10)
    assert sizes == [2, 4]
