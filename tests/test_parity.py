"""Equality with the official Tune-A-Video arithmetic, whose inputs and outputs lie in `golden/`.

The tolerances are a few times the rounding seen on one machine; guidance amplifies it.
"""

import json
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from giftune.diffusion.guidance import guided
from giftune.diffusion.schedule import Schedule
from giftune.sampling.inversion import invert
from giftune.sampling.sampler import sample
from giftune.unet.inflate import inflate
from giftune.unet.trainable import select_trainable
from giftune.unet.video_unet import VideoUNet

GOLDEN = Path(__file__).parent / "golden"
FACTS = json.loads((GOLDEN / "tune-a-video-facts.json").read_text())
RENAMED = {
    "attn_temp.to_out.0.": "temporal.to_out.",
    "attn_temp.": "temporal.",
    "norm_temp.": "temporal.norm.",
}


def our_name(official: str) -> str:
    for theirs, ours in RENAMED.items():
        official = official.replace(theirs, ours)
    return official


@pytest.fixture(scope="module")
def values() -> dict[str, torch.Tensor]:
    return load_file(GOLDEN / "tune-a-video-values.safetensors")


@pytest.fixture(scope="module")
def schedule() -> Schedule:
    return Schedule.from_config(FACTS["scheduler"])


@pytest.fixture
def video() -> VideoUNet:
    config = {
        key: [name.replace("3D", "2D") for name in value] if key.endswith("block_types") else value
        for key, value in FACTS["config"].items()
    }
    video = inflate(UNet2DConditionModel(**config), norm="pooled")
    weights = load_file(GOLDEN / "tune-a-video-weights.safetensors")
    video.unet.load_state_dict({our_name(name): tensor for name, tensor in weights.items()})
    return video


def close(actual: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    torch.testing.assert_close(actual, expected, rtol=0, atol=tolerance)


@torch.no_grad()
def test_outputs(video, values):
    latents, text = values["latents"], values["text"]
    close(video(latents, values["timesteps"], text), values["out"], 1e-5)
    close(video(latents, 500, text), values["out_t500"], 1e-5)
    close(video(latents[:, :, :1], values["timesteps"], text), values["out_one_frame"], 1e-5)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_loss_and_every_gradient(video, values, checkpointing):
    names = select_trainable(video.unet)
    if checkpointing:
        video.enable_gradient_checkpointing()
    output = video.train()(values["latents"], values["timesteps"], values["text"])
    loss = torch.nn.functional.mse_loss(output, values["target"])
    loss.backward()
    close(loss.detach(), values["loss"], 1e-6)
    official = {our_name(name): norm for name, norm in FACTS["grad_norms"].items()}
    assert set(names) == set(official)
    for name, tensor in values.items():
        if name.startswith("grad."):
            close(video.unet.get_parameter(our_name(name.removeprefix("grad."))).grad, tensor, 1e-7)
    for name, norm in official.items():
        assert video.unet.get_parameter(name).grad.norm().item() == pytest.approx(norm, rel=1e-4)
    for name in FACTS["no_gradient_with_reentrant_checkpointing"]:
        assert video.unet.get_parameter(our_name(name)).grad.abs().max() > 0


def test_inversion_and_sampling(video, values, schedule):
    source, target = values["text"][:1], values["text"][1:]
    states = [values["latents"][:1]]
    noise = invert(
        lambda x, t: video(x, t, source),
        states[0],
        schedule,
        FACTS["scheduler"]["num_steps"],
        lambda step, x: states.append(x),
    )
    close(torch.cat(states), values["inversion"], 1e-5)
    assert torch.equal(noise, states[-1])
    start = values["inversion"][-1:]
    reconstructed = sample(lambda x, t: video(x, t, source), start, schedule, FACTS["scheduler"]["num_steps"])
    close(reconstructed, values["reconstructed"], 1e-4)

    def denoise(x: torch.Tensor, t: int) -> torch.Tensor:
        return guided(video(x, t, source), video(x, t, target), 7.5)

    close(sample(denoise, start, schedule, FACTS["scheduler"]["num_steps"]), values["sampled"], 1e-3)
