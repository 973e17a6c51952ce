from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, T2IAdapter

from giftune.backbone.control import load_control
from giftune.backbone.stable_diffusion import Backbone, load_backbone
from giftune.errors import InputError
from tests.control_checkpoints import build_adapter, build_controlnet

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def controlnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_controlnet(tmp_path_factory.mktemp("control") / "sd-controlnet-depth")


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_adapter(tmp_path_factory.mktemp("control") / "t2iadapter_depth_sd15v2")


@pytest.fixture
def sd1_backbone(sd1: Path) -> Backbone:
    return load_backbone(sd1, device="cpu")


def inputs(frames: int = 3) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    return {
        "latents": torch.randn(frames, 4, 2, 4, generator=generator),
        "t": torch.tensor([7, 500, 999]),
        "text": torch.randn(frames, 5, 16, generator=generator),
    }


def pictures() -> torch.Tensor:
    return torch.rand(1, 3, 3, 16, 32, generator=torch.Generator().manual_seed(4))


def test_a_controlnet_sees_each_frame_with_its_picture(controlnet: Path) -> None:
    control, given, seen = load_control(controlnet, device="cpu"), inputs(), pictures()
    down, mid = control.residuals(control.encode(seen), **given, scale=0.5)
    reference = ControlNetModel.from_pretrained(controlnet)
    for i in range(3):
        output = reference(
            given["latents"][i : i + 1], given["t"][i], given["text"][i : i + 1], seen[:, :, i], 0.5
        )
        for mine, theirs in zip(down, output.down_block_res_samples, strict=True):
            torch.testing.assert_close(mine[i : i + 1], theirs)
        torch.testing.assert_close(mid[i : i + 1], output.mid_block_res_sample)
    assert control.each_step and mid.abs().max() > 0.01


@pytest.mark.parametrize("channels", [3, 1])
def test_an_adapter_sees_each_picture_once(channels: int, tmp_path: Path) -> None:
    control = load_control(build_adapter(tmp_path, in_channels=channels), device="cpu")
    seen = pictures()
    encoded = control.encode(seen)
    down, mid = control.residuals(encoded, **inputs(), scale=0.5)
    reference = T2IAdapter.from_pretrained(tmp_path)
    for i in range(3):
        picture = seen[:, :, i] if channels == 3 else seen[:, :, i].mean(dim=1, keepdim=True)
        for mine, theirs in zip(down, reference(picture), strict=True):
            torch.testing.assert_close(mine[i : i + 1], 0.5 * theirs)
    assert mid is None and not control.each_step and len(down) == 2


def test_what_is_read_is_frozen_and_of_the_wanted_type(controlnet: Path) -> None:
    control = load_control(controlnet, device="cpu", dtype="bfloat16")
    assert not any(p.requires_grad for p in control.network.parameters())
    given = inputs()
    down, mid = control.residuals(control.encode(pictures()), **given)
    assert mid.dtype == torch.float32 and down[0].grad_fn is None and mid.grad_fn is None
    exact = load_control(controlnet, device="cpu")
    torch.testing.assert_close(
        mid, exact.residuals(exact.encode(pictures()), **given)[1], atol=0.03, rtol=0.05
    )
    given["latents"].requires_grad_()
    exact.residuals(exact.encode(pictures()), **given)[1].sum().backward()
    assert given["latents"].grad.abs().max() > 0
    assert all(p.grad is None for p in exact.network.parameters())


def test_miniatures_fit_each_other(sd1_backbone: Backbone, controlnet: Path, adapter: Path) -> None:
    for folder in (controlnet, adapter):
        load_control(folder, device="cpu").require_fit(sd1_backbone)


@pytest.mark.parametrize(
    ("settings", "found", "needed"),
    [
        ({"cross_attention_dim": 32}, "cross_attention_dim 32", "16"),
        ({"block_out_channels": (8, 8)}, r"block_out_channels \[8, 8\]", r"\[8, 16\]"),
        ({"in_channels": 9}, "in_channels 9", "4"),
        ({"layers_per_block": 2}, "layers_per_block 2", "1"),
        ({"conditioning_embedding_out_channels": (4, 4, 8)}, "4 times smaller", "8 times"),
    ],
)
def test_a_controlnet_for_another_unet(
    settings: dict, found: str, needed: str, sd1_backbone: Backbone, tmp_path: Path
) -> None:
    control = load_control(build_controlnet(tmp_path, **settings), device="cpu")
    with pytest.raises(InputError, match=rf"{found}.*{needed}") as refused:
        control.require_fit(sd1_backbone)
    assert str(tmp_path) in str(refused.value)


def test_text_that_is_not_read_may_be_of_any_width(sd1_backbone: Backbone, tmp_path: Path) -> None:
    plain = {"down_block_types": ("DownBlock2D",) * 2, "mid_block_type": "UNetMidBlock2D"}
    control = load_control(build_controlnet(tmp_path, cross_attention_dim=32, **plain), device="cpu")
    control.require_fit(sd1_backbone)


def test_an_adapter_for_another_unet(sd1_backbone: Backbone, tmp_path: Path) -> None:
    wide = load_control(build_adapter(tmp_path / "wide", channels=[8, 32]), device="cpu")
    with pytest.raises(InputError, match=r"channels \[8, 32\].*needs \[8, 16\].*t2iadapter_depth_sd15v2"):
        wide.require_fit(sd1_backbone)
    coarse = load_control(build_adapter(tmp_path / "coarse", downscale_factor=4), device="cpu")
    with pytest.raises(InputError, match="4 times smaller"):
        coarse.require_fit(sd1_backbone)
    light = load_control(
        build_adapter(tmp_path / "light", adapter_type="light_adapter", channels=[8, 16, 16]), device="cpu"
    )
    with pytest.raises(InputError, match=r"channels \[8, 16, 16, 16\]"):
        light.require_fit(sd1_backbone)


def test_the_embedded_model_cannot_take_an_adapter(tmp_path: Path) -> None:
    control = load_control(build_adapter(tmp_path, channels=[64, 128, 192], downscale_factor=4), device="cpu")
    with pytest.raises(InputError, match=r"T2IAdapter.*'emojiworld' has a DownBlock2D.*ControlNet is needed"):
        control.require_fit(load_backbone("emojiworld", device="cpu"))


def test_the_embedded_controlnet_fits_the_embedded_model_alone(sd1_backbone: Backbone) -> None:
    control = load_control("emojiworld", device="cpu")
    control.require_fit(load_backbone("emojiworld", device="cpu"))
    with pytest.raises(InputError, match=r"'emojiworld' has block_out_channels \[64, 128, 192\]"):
        control.require_fit(sd1_backbone)
