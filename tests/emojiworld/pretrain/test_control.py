from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline
from PIL import Image

from giftune.emojiworld.captions import caption
from giftune.emojiworld.oracle import Oracle
from giftune.emojiworld.pretrain import control as module
from giftune.emojiworld.pretrain.control import (
    ControlTraining,
    DepthCaptionedLatents,
    as_picture,
    build_controlnet,
    control_figures,
    disturb,
    export_controlnet,
    normalised,
)
from giftune.emojiworld.pretrain.scenes import Scenes
from giftune.emojiworld.pretrain.text_to_image import CaptionedLatents

EMBEDDED = Path(module.__file__).parents[1] / "assets" / "text_to_image"
RNG = np.random.default_rng(0)
DEPTHS = RNG.integers(30, 200, (2, 64, 64), dtype=np.uint8)
LABELS = [{"subject": "fox", "background": "snow", "style": "plain", "motion": "run"}] * 2


@pytest.fixture(scope="module")
def pipeline() -> StableDiffusionPipeline:
    return StableDiffusionPipeline.from_pretrained(EMBEDDED, dtype=torch.float32)


@pytest.fixture
def training(pipeline: StableDiffusionPipeline) -> ControlTraining:
    return ControlTraining(pipeline, max_steps=10)


def _batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    tokens = torch.zeros(2, 24, dtype=torch.long)
    depths = torch.rand(2, 64, 64, generator=generator)
    return torch.randn(2, 4, 16, 16, generator=generator), tokens, depths


@torch.no_grad()
def test_at_first_the_output_is_that_of_the_plain_model(pipeline: StableDiffusionPipeline) -> None:
    controlnet, (latents, _, depths) = build_controlnet(pipeline.unet), _batch()
    text, t = torch.randn(2, 24, 128), torch.tensor([400, 900])
    down, mid = controlnet(latents, t, text, as_picture(depths), return_dict=False)
    plain = pipeline.unet(latents, t, text).sample
    controlled = pipeline.unet(
        latents, t, text, down_block_additional_residuals=down, mid_block_additional_residual=mid
    ).sample
    assert torch.equal(controlled, plain) and len(down) == 6


def test_it_starts_from_the_weights_of_the_unet(pipeline: StableDiffusionPipeline) -> None:
    own, weights = build_controlnet(pipeline.unet).state_dict(), pipeline.unet.state_dict()
    shared = own.keys() & weights.keys()
    assert {
        "conv_in.weight",
        "mid_block.resnets.0.conv1.weight",
        "down_blocks.2.resnets.0.conv2.bias",
    } < shared
    assert all(torch.equal(own[name], weights[name]) for name in shared)
    assert all("controlnet_" in name for name in own.keys() - shared)


def test_loss_is_the_velocity_error_of_the_controlled_model(
    training: ControlTraining, pipeline: StableDiffusionPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "log", lambda *a, **k: None)
    monkeypatch.setattr(module, "disturb", lambda depths: depths)
    for block in [*training.model.controlnet_down_blocks, training.model.controlnet_mid_block]:
        torch.nn.init.normal_(block.weight, std=0.05)
    latents, tokens, depths = _batch()
    torch.manual_seed(5)
    loss = training.training_step((latents, tokens, depths), 0)

    torch.manual_seed(5)
    noise, t = torch.randn_like(latents), torch.randint(1000, (2,))
    text = pipeline.text_encoder(tokens).last_hidden_state
    expected = 0.0
    for i in range(2):
        alpha_bar = pipeline.scheduler.alphas_cumprod[t[i]]
        a, s = alpha_bar.sqrt(), (1 - alpha_bar).sqrt()
        noisy = (a * latents[i] + s * noise[i])[None]
        picture = depths[i].expand(1, 3, 64, 64)
        down, mid = training.model(noisy, t[i], text[i : i + 1], picture, return_dict=False)
        output = pipeline.unet(
            noisy, t[i], text[i : i + 1],
            down_block_additional_residuals=down, mid_block_additional_residual=mid,
        ).sample  # fmt: skip
        expected += (output[0] - (a * noise[i] - s * latents[i])).square().mean() / 2
    torch.testing.assert_close(loss, torch.as_tensor(expected), rtol=1e-4, atol=1e-5)


def test_only_the_controlnet_learns(training: ControlTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "log", lambda *a, **k: None)
    training.training_step(_batch(), 0).backward()
    gradients = {name.split(".")[0] for name, p in training.named_parameters() if p.grad is not None}
    assert gradients == {"model"}
    groups = training.configure_optimizers()["optimizer"].param_groups
    assert {id(p) for group in groups for p in group["params"]} == {
        id(p) for p in training.model.parameters()
    }
    assert training.model.controlnet_mid_block.weight.grad.abs().sum() > 0


def test_depth_is_normalised_and_belongs_to_its_latents(pipeline: StableDiffusionPipeline) -> None:
    captioned = CaptionedLatents(torch.randn(2, 4, 16, 16), LABELS, pipeline.tokenizer)
    latents, tokens, depth = DepthCaptionedLatents(captioned, DEPTHS)[1]
    assert torch.equal(latents, captioned.latents[1]) and len(tokens) == 24
    assert depth.min() == 0 and depth.max() == 1
    assert np.corrcoef(depth.numpy().ravel(), DEPTHS[1].ravel())[0, 1] > 0.999
    assert normalised(torch.full((1, 4, 4), 7, dtype=torch.uint8)).abs().max() == 0
    picture = as_picture(depth[None])
    assert picture.shape == (1, 3, 64, 64) and torch.equal(picture[0, 0], picture[0, 2])


def test_disturbance_keeps_the_scene() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 64).expand(50, 64, 64)
    changed = disturb(ramp)
    assert changed.shape == ramp.shape and changed.min() >= 0 and changed.max() <= 1
    assert 0.005 < (changed - ramp).abs().mean() < 0.1
    assert (changed[:, :, 48:].mean(dim=(1, 2)) > changed[:, :, :16].mean(dim=(1, 2)) + 0.4).all()


def test_what_is_exported_is_small_and_loads_like_any_other(
    pipeline: StableDiffusionPipeline, tmp_path: Path
) -> None:
    controlnet = build_controlnet(pipeline.unet)
    export_controlnet(controlnet, tmp_path)
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 3_000_000
    loaded = ControlNetModel.from_pretrained(tmp_path, dtype=torch.float32)
    assert {p.dtype for p in loaded.parameters()} == {torch.float32}
    for (name, stored), exact in zip(
        loaded.state_dict().items(), controlnet.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(stored, exact, rtol=0.07, atol=1e-3, msg=name)


@pytest.mark.slow
def test_figures_are_of_the_same_noise_with_and_without(pipeline: StableDiffusionPipeline) -> None:
    scenes = Scenes(
        RNG.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8), LABELS, np.full((2, 2), 0.5, dtype=np.float32)
    )
    torch.manual_seed(0)
    controlnet, oracle = build_controlnet(pipeline.unet), Oracle().eval()

    def brightness(frames: torch.Tensor) -> torch.Tensor:
        return frames.mean(dim=1)

    settings = (oracle, brightness, scenes, DEPTHS, 2, 3.0, 7)
    figures, drawn = control_figures(pipeline, controlnet, *settings)
    torch.testing.assert_close(drawn["with"], drawn["without"])  # zero at first
    assert set(figures["with"]) == {
        "mean_absolute_error", "variance_explained", "subject", "background", "style", "centre_error_px",
    }  # fmt: skip
    torch.nn.init.normal_(controlnet.controlnet_mid_block.weight, std=0.3)
    torch.nn.init.normal_(controlnet.controlnet_cond_embedding.conv_out.weight, std=0.3)
    _, again = control_figures(pipeline, controlnet, *settings)
    torch.testing.assert_close(again["without"], drawn["without"])

    reference = StableDiffusionControlNetPipeline(**pipeline.components, controlnet=controlnet)
    depth = DEPTHS[1].astype(float)
    levels = ((depth - depth.min()) / (depth.max() - depth.min()) * 255).round().astype(np.uint8)
    expected = reference(
        caption(subject="fox", background="snow", style="plain"),
        image=Image.fromarray(levels).convert("RGB"), num_inference_steps=2,
        guidance_scale=3.0, generator=torch.Generator().manual_seed(8), output_type="pt",
    ).images  # fmt: skip
    assert (again["with"][1] - (expected[0] * 2 - 1)).abs().max() < 0.05  # its depth has 8 bits
    assert (again["with"] - again["without"]).abs().max() > 0.01
