import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

from giftune.backbone.folder import load_folder
from giftune.errors import InputError
from tests.checkpoints import build_sd1

UNET_FILE = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def copy(sd1: Path, tmp_path: Path) -> Path:
    """One to break."""
    return Path(shutil.copytree(sd1, tmp_path / "copy"))


def edit(folder: Path, name: str, **settings) -> None:
    content = json.loads((folder / name).read_text())
    (folder / name).write_text(json.dumps({**content, **settings}))


def test_equal_to_the_pipeline(checkpoint: Path, pipeline: StableDiffusionPipeline) -> None:
    parts = load_folder(checkpoint, torch.float32)
    for name in ("vae", "text_encoder", "unet"):
        ours, theirs = getattr(parts, name).state_dict(), getattr(pipeline, name).state_dict()
        assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
        assert not getattr(parts, name).training
    assert parts.tokenizer("a panda!").input_ids == pipeline.tokenizer("a panda!").input_ids
    assert parts.tokenizer.pad_token == pipeline.tokenizer.pad_token
    expected = pipeline.scheduler.config.get("prediction_type")
    assert parts.scheduler.get("prediction_type", "epsilon") == expected


def test_weights_take_the_type_that_is_asked_for(sd1: Path) -> None:
    parts = load_folder(sd1, torch.bfloat16)
    types = {p.dtype for part in (parts.vae, parts.text_encoder, parts.unet) for p in part.parameters()}
    assert types == {torch.bfloat16}


def test_half_precision_files_are_found(sd1: Path, tmp_path: Path) -> None:
    half = build_sd1(tmp_path, variant="fp16", dtype=torch.float16)
    full, found = (load_folder(folder, torch.float32).unet.state_dict() for folder in (sd1, half))
    for name, value in full.items():
        assert torch.equal(found[name], value.half().float())


def test_a_variant_is_taken_when_asked_for(copy: Path) -> None:
    tensors = load_file(copy / UNET_FILE)
    for part in ("vae", "text_encoder", "unet"):
        (path,) = (copy / part).glob("*.safetensors")
        shutil.copy(path, path.with_suffix(".ema.safetensors"))
    changed = {name: value + 1 for name, value in tensors.items()}
    save_file(changed, copy / "unet/diffusion_pytorch_model.ema.safetensors", {"format": "pt"})
    for variant, expected in ((None, tensors), ("ema", changed)):
        found = load_folder(copy, torch.float32, variant).unet.state_dict()
        assert torch.equal(found["conv_in.weight"], expected["conv_in.weight"])
    with pytest.raises(InputError, match=r"vae/diffusion_pytorch_model\.fp16\.safetensors is missing"):
        load_folder(copy, torch.float32, "fp16")


@pytest.mark.parametrize(
    "name",
    [
        "unet/config.json",
        "vae/config.json",
        "text_encoder/config.json",
        "scheduler/scheduler_config.json",
        "tokenizer/vocab.json",
        "tokenizer/merges.txt",
        UNET_FILE,
        "vae/diffusion_pytorch_model.safetensors",
        "text_encoder/model.safetensors",
    ],
)
def test_a_missing_file_is_named(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(InputError, match=f"no complete diffusers folder: {name} is missing"):
        load_folder(copy, torch.float32)


def test_pickles_are_never_opened(copy: Path) -> None:
    path = copy / UNET_FILE
    path.with_suffix(".bin").write_bytes(b"not opened")
    path.unlink()
    with pytest.raises(
        InputError, match=r"unet/diffusion_pytorch_model\.bin.*safetensors are.*save_pretrained"
    ):
        load_folder(copy, torch.float32)


def test_code_in_the_folder_is_not_run(copy: Path, tmp_path: Path) -> None:
    (copy / "pipeline.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    edit(copy, "model_index.json", _class_name=["pipeline", "Evil"])
    edit(copy, "unet/config.json", auto_map={"AutoModel": "pipeline.Evil"})
    load_folder(copy, torch.float32)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("folder", "kind"),
    [("text_encoder_2", "StableDiffusionXLPipeline"), ("transformer", "StableDiffusion3Pipeline")],
)
def test_newer_families_are_refused(copy: Path, folder: str, kind: str) -> None:
    (copy / folder).mkdir()
    edit(copy, "model_index.json", _class_name=kind)
    with pytest.raises(InputError, match=rf"{kind} \(it has {folder}/\); a Stable Diffusion 1\.x or 2\.x"):
        load_folder(copy, torch.float32)


def test_inpainting_is_refused(tmp_path: Path) -> None:
    folder = build_sd1(tmp_path, in_channels=9)
    with pytest.raises(InputError, match=r"9 channels \(an inpainting model\), not 4"):
        load_folder(folder, torch.float32)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("text_encoder/config.json", {"architectures": ["T5EncoderModel"]}, "T5EncoderModel, not CLIP"),
        ("unet/config.json", {"cross_attention_dim": 24}, "text 24 wide, its text encoder writes 16"),
        ("unet/config.json", {"in_channels": 5}, "5 channels, not 4"),
        ("vae/config.json", {"layers_per_block": 2}, r"lacks \d+ tensors of AutoencoderKL, \S+ first"),
        ("text_encoder/config.json", {"num_hidden_layers": 3}, r"lacks 16 tensors of CLIPTextModel"),
        ("unet/config.json", {"block_out_channels": [16, 16]}, "does not load as UNet2DConditionModel"),
    ],
)
def test_parts_that_do_not_fit_are_refused(copy: Path, name: str, settings: dict, message: str) -> None:
    edit(copy, name, **settings)
    with pytest.raises(InputError, match=message):
        load_folder(copy, torch.float32)


@pytest.mark.parametrize("name", [UNET_FILE, "text_encoder/model.safetensors"])
def test_a_truncated_file_is_refused(copy: Path, name: str) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(InputError, match="does not load as"):
        load_folder(copy, torch.float32)


@pytest.mark.parametrize(
    ("content", "message"), [("{", "is not JSON"), ("[]", "must hold a JSON object, not list")]
)
def test_damaged_configurations_are_refused(copy: Path, content: str, message: str) -> None:
    (copy / "unet/config.json").write_text(content)
    with pytest.raises(InputError, match=message):
        load_folder(copy, torch.float32)


def test_a_damaged_tokenizer_is_refused(copy: Path) -> None:
    (copy / "tokenizer/vocab.json").write_text("{")
    with pytest.raises(InputError, match="tokenizer"):
        load_folder(copy, torch.float32)
