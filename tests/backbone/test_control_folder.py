import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from safetensors.torch import load_file, save_file

from giftune.attention.patterns import per_frame
from giftune.backbone.control import Control, load_control
from giftune.backbone.stable_diffusion import Backbone, load_backbone
from giftune.errors import InputError
from giftune.unet.inflate import inflate
from tests.control_checkpoints import WEIGHTS, build_adapter, build_controlnet


@pytest.fixture(scope="session")
def controlnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_controlnet(tmp_path_factory.mktemp("control") / "sd-controlnet-depth")


@pytest.fixture
def sd1_backbone(sd1: Path) -> Backbone:
    return load_backbone(sd1, device="cpu")


def test_other_networks_are_refused(sd1: Path, sd1_backbone: Backbone, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is a VideoUNet, it must be a ControlNetModel.*inflated"):
        Control(inflate(sd1_backbone.unet, per_frame))
    with pytest.raises(InputError, match="holds UNet2DConditionModel; a ControlNetModel or T2IAdapter"):
        load_control(sd1 / "unet")
    with pytest.raises(InputError, match="holds a whole StableDiffusionPipeline"):
        load_control(sd1)
    with pytest.raises(InputError, match=r"config\.json is missing"):
        load_control(tmp_path)
    plain = UNet2DConditionModel.from_pretrained(sd1 / "unet")
    assert isinstance(Control(ControlNetModel.from_unet(plain)), Control)


@pytest.mark.parametrize("build", [build_controlnet, build_adapter])
def test_stable_diffusion_xl_is_refused(build, tmp_path: Path) -> None:
    build(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    marks = {
        build_controlnet: {"addition_embed_type": "text_time"},
        build_adapter: {"adapter_type": "full_adapter_xl"},
    }
    (tmp_path / "config.json").write_text(json.dumps({**config, **marks[build]}))
    with pytest.raises(InputError, match=r"for Stable Diffusion XL; one for Stable Diffusion 1\.x or 2\.x"):
        load_control(tmp_path)


def test_a_controlnet_made_after_inflation_is_refused(controlnet: Path, tmp_path: Path) -> None:
    shutil.copytree(controlnet, tmp_path / "c")
    file = tmp_path / "c" / WEIGHTS
    extra = {"down_blocks.0.attentions.0.transformer_blocks.0.temporal.to_q.weight": torch.zeros(8, 8)}
    save_file({**load_file(file), **extra}, file, {"format": "pt"})
    with pytest.raises(InputError, match=r"after its inflation.*temporal.to_q.weight"):
        load_control(tmp_path / "c")


def test_incomplete_and_pickled_folders(controlnet: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(controlnet, tmp_path / "c"))
    tensors = load_file(folder / WEIGHTS)
    (folder / WEIGHTS).unlink()
    with pytest.raises(InputError, match=rf"has no {WEIGHTS}.*lllyasviel/sd-controlnet-depth"):
        load_control(folder)
    torch.save(tensors, folder / "diffusion_pytorch_model.bin")
    with pytest.raises(InputError, match=r"only .*model\.bin.*ControlNetModel.*save_pretrained"):
        load_control(folder)
    lost = tensors.pop("controlnet_mid_block.weight")
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    with pytest.raises(InputError, match="lacks 1 tensors of ControlNetModel, controlnet_mid_block"):
        load_control(folder)
    save_file({**tensors, "controlnet_mid_block.weight": lost[:3]}, folder / WEIGHTS, {"format": "pt"})
    with pytest.raises(InputError, match="does not load as ControlNetModel"):
        load_control(folder)
    (folder / WEIGHTS).write_bytes(b"no tensors")
    with pytest.raises(InputError, match="does not load as ControlNetModel"):
        load_control(folder)


def test_half_precision_is_the_second_choice(tmp_path: Path) -> None:
    folder = build_controlnet(tmp_path)
    (folder / WEIGHTS).rename(folder / "diffusion_pytorch_model.fp16.safetensors")
    assert load_control(folder, device="cpu").each_step


def test_sources_that_are_none(controlnet: Path) -> None:
    for source, sentence in (
        (str(controlnet / WEIGHTS), "is a file; it must be a folder"),
        ("nowhere", "does not exist.*TencentARC/t2iadapter_depth_sd15v2"),
        (None, "source is null: no network for this kind of control"),
    ):
        with pytest.raises(InputError, match=sentence):
            load_control(source)
    for source in ("emojiworld", str(controlnet)):
        with pytest.raises(InputError, match="revision is 'v1', but"):
            load_control(source, revision="v1")


def test_the_kind_is_known_before_any_weights_are_fetched(
    controlnet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def offer(hub_id: str, allow_patterns: list[str], **_: object) -> str:
        asked.append(allow_patterns)
        return str(controlnet)

    monkeypatch.setattr("giftune.backbone.snapshot.snapshot_download", offer)
    assert load_control("owner/name", device="cpu").source == "owner/name"
    assert asked[0] == ["*.json"] and "diffusion_pytorch_model*.safetensors" in asked[1]
