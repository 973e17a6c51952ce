import shutil
from pathlib import Path

import pytest
import torch
from diffusers import UNetMotionModel

from giftune.backbone.motion_adapter import load_motion_unet
from giftune.backbone.stable_diffusion import Backbone, load_backbone
from giftune.errors import InputError
from tests.motion_checkpoints import (
    ALPHA,
    LORA,
    RANK,
    SDXL,
    build_adapter,
    build_animatelcm,
    draw_lcm_deltas,
    write_config,
)

IDS = "'guoyww/animatediff-motion-adapter-v1-5-2' or 'wangfuyun/AnimateLCM'"
COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture(scope="session")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_adapter(tmp_path_factory.mktemp("adapter"))


@pytest.fixture
def image_model(sd1: Path) -> Backbone:
    return load_backbone(sd1, device="cpu", dtype="float32")


def still(network: UNetMotionModel) -> UNetMotionModel:
    """Motion modules add what their last layer says, here nothing."""
    for name, parameter in network.named_parameters():
        if "motion_modules" in name and ".proj_out." in name:
            parameter.zero_()
    return network


def test_without_motion_it_is_the_image_model_on_every_frame(
    image_model: Backbone, adapter: Path, rng: torch.Generator
) -> None:
    network = still(load_motion_unet(image_model, adapter))
    latents, text = torch.randn(1, 4, 3, 8, 8, generator=rng), torch.randn(1, 5, 16, generator=rng)
    ours = network(latents, 300, encoder_hidden_states=text.repeat(3, 1, 1)).sample
    for i in range(3):
        torch.testing.assert_close(
            ours[:, :, i], image_model.unet(latents[:, :, i], 300, text).sample, rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_the_modules_are_those_of_the_file(image_model: Backbone, tmp_path: Path, variant: str) -> None:
    from safetensors.torch import load_file

    folder = build_adapter(tmp_path, variant)
    network = load_motion_unet(image_model, folder).state_dict()
    tensors = load_file(next(folder.glob("*.safetensors")))
    assert all(torch.equal(network[name], value.float()) for name, value in tensors.items())
    assert {name for name in network if "motion_modules" in name} == tensors.keys()


def test_the_lora_goes_into_every_layer_of_a_copy(
    image_model: Backbone, tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    before = {name: value.clone() for name, value in image_model.unet.state_dict().items()}
    folder = build_animatelcm(tmp_path, image_model.unet)
    found = load_motion_unet(image_model, folder, LORA, 0.8).state_dict()
    deltas = {delta.layer: delta.dense(0.8 * ALPHA / RANK) for delta in draw_lcm_deltas(image_model.unet)}
    kinds = ("time_emb_proj", "conv_shortcut", "upsamplers.0.conv", "downsamplers.0.conv", "ff.net.0.proj")
    assert all(any(layer.endswith(kind) for layer in deltas) for kind in kinds)
    for name, value in before.items():
        delta = deltas.get(name.removesuffix(".weight"), 0) if name.endswith(".weight") else 0
        torch.testing.assert_close(found[name], value + delta, rtol=1e-4, atol=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in image_model.unet.state_dict().items())
    assert not [warning for warning in recwarn if "LoRA" in str(warning.message)]


def test_a_hub_id_is_read_from_the_cache(
    image_model: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "models--wangfuyun--AnimateLCM"
    shutil.copytree(build_animatelcm(tmp_path / "adapter", image_model.unet), root / "snapshots" / COMMIT)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    load_motion_unet(image_model, "wangfuyun/AnimateLCM", LORA)
    with pytest.raises(InputError, match=f"'guoyww/other' could not be fetched.*download {IDS}"):
        load_motion_unet(image_model, "guoyww/other")


def test_nothing_is_fetched_for_another_base(
    image_model: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(
        "giftune.backbone.snapshot.snapshot_download",
        lambda hub_id, allow_patterns, **_: asked.extend(allow_patterns) or str(tmp_path),
    )
    write_config(tmp_path, **SDXL)
    with pytest.raises(InputError, match="Stable Diffusion XL"):
        load_motion_unet(image_model, "guoyww/animatediff-motion-adapter-sdxl-beta")
    assert asked == ["config.json"]
    build_animatelcm(tmp_path, image_model.unet)
    load_motion_unet(image_model, "wangfuyun/AnimateLCM", LORA)
    assert asked[1:] == [
        "config.json", "diffusion_pytorch_model*.safetensors", "diffusion_pytorch_model*.json", LORA
    ]  # fmt: skip


def test_no_random_number_is_taken_and_types_are_kept(sd1: Path, adapter: Path) -> None:
    state = torch.get_rng_state()
    network = load_motion_unet(load_backbone(sd1, device="cpu", dtype="bfloat16"), adapter)
    assert torch.equal(torch.get_rng_state(), state)
    assert {parameter.dtype for parameter in network.parameters()} == {torch.bfloat16}
    assert not network.training and not any(p.requires_grad for p in network.parameters())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (SDXL, rf"of 320, 640, 1280 channels \(Stable Diffusion XL\), .* has 8, 16; for .* it is {IDS}"),
        ({"block_out_channels": [320, 640, 1280, 1280]}, "320, 640, 1280, 1280 channels, the backbone"),
        ({"block_out_channels": [8, 32]}, "of 8, 32 channels, the backbone '.*' has 8, 16"),
        ({"motion_layers_per_block": 2}, "has 2 layers per block, the backbone '.*' has 1"),
        ({"motion_norm_num_groups": 32}, "has 32 groups in its norms, the backbone '.*' has 4"),
        ({"conv_in_channels": 9}, "also takes a picture"),
        ({"_class_name": "ControlNetModel"}, f"is ControlNetModel, not a MotionAdapter: download {IDS}"),
        ({"_class_name": None}, "is another model, not a MotionAdapter"),
    ],
)  # fmt: skip
def test_adapters_for_other_networks_are_refused_by_their_configuration(
    image_model: Backbone, tmp_path: Path, config: dict, message: str
) -> None:
    write_config(tmp_path, **config)  # without weights: nothing of them is read
    with pytest.raises(InputError, match=message):
        load_motion_unet(image_model, tmp_path)


def test_missing_files_name_what_to_download(image_model: Backbone, adapter: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"has no config.json: download {IDS}"):
        load_motion_unet(image_model, tmp_path)
    with pytest.raises(InputError, match=f"has no {LORA}: download {IDS}"):
        load_motion_unet(image_model, adapter, LORA)
    write_config(tmp_path)
    with pytest.raises(InputError, match=f"no diffusion_pytorch_model.safetensors; download {IDS}"):
        load_motion_unet(image_model, tmp_path)
    with pytest.raises(InputError, match=f"'nowhere' does not exist.*{IDS}"):
        load_motion_unet(image_model, "nowhere")


def test_weights_of_another_width_than_the_configuration(image_model: Backbone, tmp_path: Path) -> None:
    build_adapter(tmp_path, block_out_channels=[16, 32])
    write_config(tmp_path)
    with pytest.raises(InputError, match=f"does not load as MotionAdapter; download {IDS}"):
        load_motion_unet(image_model, tmp_path)


def test_a_backbone_of_another_release_is_noted(image_model: Backbone, tmp_path: Path) -> None:
    """Stable Diffusion 2.x has the widths of 1.5, but reads other text."""
    image_model.unet.register_to_config(block_out_channels=(8, 1280))
    write_config(tmp_path, block_out_channels=[8, 1280])
    with pytest.warns(UserWarning, match=r"was trained on Stable Diffusion 1\.5"), pytest.raises(InputError):
        load_motion_unet(image_model, tmp_path)
