import json
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import CLIPTextConfig, CLIPTextModel

from giftune.backbone.folder import load_folder
from giftune.backbone.single_file import CONVOLUTION, CROSS_ATTENTION, PARTS, load_single_file
from giftune.errors import InputError
from tests.compvis import write_single_file

CONFIGS = Path(str(files("giftune.backbone"))) / "configs"


@pytest.fixture
def single(checkpoint: Path, tmp_path: Path) -> Path:
    return write_single_file(checkpoint, tmp_path / "model.safetensors")


def outline(width: int = 768, channels: int = 4) -> dict[str, Tensor]:
    """Just enough of a file to be recognised."""
    tensors = {f"{prefix}x": torch.zeros(1) for prefix in PARTS.values()}
    return {**tensors, CONVOLUTION: torch.zeros(8, channels, 1, 1), CROSS_ATTENTION: torch.zeros(8, width)}


def write(path: Path, tensors: dict[str, Tensor]) -> Path:
    save_file(tensors, path)
    return path


def test_equal_to_the_folder(single: Path, checkpoint: Path, pipeline: StableDiffusionPipeline) -> None:
    parts = load_single_file(single, torch.float32, config=checkpoint)
    for name in ("vae", "text_encoder", "unet"):
        ours, theirs = getattr(parts, name).state_dict(), getattr(pipeline, name).state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert parts.tokenizer("a panda!").input_ids == pipeline.tokenizer("a panda!").input_ids


def test_weights_take_the_type_that_is_asked_for(single: Path, checkpoint: Path) -> None:
    parts = load_single_file(single, torch.bfloat16, config=checkpoint)
    types = {p.dtype for part in (parts.vae, parts.text_encoder, parts.unet) for p in part.parameters()}
    assert types == {torch.bfloat16}


# The published sizes of the networks; those of the 2.1 text encoder are 23 of OpenCLIP's 24 layers.
@pytest.mark.parametrize(
    ("family", "unet", "text"), [("sd1", 859_520_964, 123_060_480), ("sd2", 865_910_724, 340_387_840)]
)
def test_the_shipped_configurations_are_those_of_the_releases(family: str, unet: int, text: int) -> None:
    def config(part: str) -> dict:
        return json.loads((CONFIGS / family / part / "config.json").read_text())

    with torch.device("meta"):
        networks = {
            UNet2DConditionModel.from_config(config("unet")): unet,
            AutoencoderKL.from_config(config("vae")): 83_653_863,
            CLIPTextModel(CLIPTextConfig(**config("text_encoder"))): text,
        }
    for network, size in networks.items():
        assert sum(parameter.numel() for parameter in network.parameters()) == size


def test_2x_must_be_told_what_it_predicts(tmp_path: Path) -> None:
    path = write(tmp_path / "sd2.safetensors", outline(width=1024))
    with pytest.raises(InputError, match=r"backbone\.prediction_type to 'v_prediction'.*or 'epsilon'"):
        load_single_file(path, torch.float32)


@pytest.mark.parametrize(("width", "family"), [(768, "sd1"), (1024, "sd2")])
def test_the_width_of_the_text_tells_the_family(tmp_path: Path, width: int, family: str) -> None:
    path = write(tmp_path / "model.safetensors", outline(width))
    with pytest.raises(InputError, match=f"does not fit .*configs/{family}"):  # the outline is nearly empty
        load_single_file(path, torch.float32, prediction_type="epsilon")


@pytest.mark.parametrize(("family", "pad"), [("sd1", "<|endoftext|>"), ("sd2", "!")])
def test_a_file_of_a_known_width_needs_no_description(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, family: str, pad: str
) -> None:
    folder = request.getfixturevalue(family)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs" / family).symlink_to(folder)
    monkeypatch.setattr("giftune.backbone.single_file.files", lambda package: tmp_path)
    monkeypatch.setattr("giftune.backbone.single_file.FAMILIES", {16: family})
    path = write_single_file(folder, tmp_path / "model.safetensors")
    parts = load_single_file(path, torch.float32, prediction_type="epsilon")
    assert parts.tokenizer.pad_token == pad and len(parts.tokenizer) == 49408
    assert torch.equal(parts.unet.conv_in.weight, load_folder(folder, torch.float32).unet.conv_in.weight)


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        ({"conditioner.embedders.0.transformer.x": 1}, "a Stable Diffusion XL model"),
        ({"model.diffusion_model.joint_blocks.0.x": 1}, "a transformer model"),
        ({"model.diffusion_model.double_blocks.0.x": 1}, "a transformer model"),
        ({"lora_unet_down_blocks_0.lora_up.weight": 1}, "a LoRA: pass it as backbone.loras"),
        ({CONVOLUTION: 9}, r"9 channels \(an inpainting model\), not 4"),
        ({CONVOLUTION: 5}, "5 channels, not 4"),
        ({CROSS_ATTENTION: 2048}, "text of width 2048, it must be 768"),
    ],
)
def test_other_models_are_refused(tmp_path: Path, extra: dict[str, int], message: str) -> None:
    tensors = {**outline(), **{name: torch.zeros(8, size) for name, size in extra.items()}}
    with pytest.raises(InputError, match=message):
        load_single_file(write(tmp_path / "model.safetensors", tensors), torch.float32)


@pytest.mark.parametrize(("name", "prefix"), PARTS.items())
def test_a_missing_part_is_named(tmp_path: Path, name: str, prefix: str) -> None:
    tensors = {key: value for key, value in outline().items() if not key.startswith(prefix)}
    with pytest.raises(InputError, match=f"not a whole model: it has no {name} "):
        load_single_file(write(tmp_path / "model.safetensors", tensors), torch.float32)


@pytest.mark.parametrize(
    "lost",
    [
        "model.diffusion_model.out.2.bias",
        "first_stage_model.decoder.conv_out.bias",
        "cond_stage_model.transformer.text_model.final_layer_norm.bias",
    ],
)
def test_a_missing_tensor_is_noticed(sd1: Path, tmp_path: Path, lost: str) -> None:
    path = write_single_file(sd1, tmp_path / "model.safetensors")
    tensors = load_file(path)
    del tensors[lost]
    with pytest.raises(InputError, match=r"lacks tensors that .*sd1 describes"):
        load_single_file(write(path, tensors), torch.float32, config=sd1)


def test_other_widths_are_refused(sd1: Path, sd2: Path, tmp_path: Path) -> None:
    path = write_single_file(sd2, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"does not fit|lacks"):
        load_single_file(path, torch.float32, config=sd1)


def test_a_pickle_in_disguise_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    torch.save({"state_dict": outline()}, path)
    with pytest.raises(InputError, match="no readable safetensors file"):
        load_single_file(path, torch.float32)
