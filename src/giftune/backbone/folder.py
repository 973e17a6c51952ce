"""A Stable Diffusion checkpoint as a diffusers folder: one sub-folder for each part."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from safetensors import SafetensorError
from transformers import CLIPTextModel, CLIPTokenizer

from giftune.backbone._quiet import quiet
from giftune.errors import InputError

PICKLES = ("*.bin", "*.ckpt", "*.pt", "*.pth", "*.msgpack", "*.h5")


class Parts(NamedTuple):
    """What a text-to-image model is made of."""

    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    unet: UNet2DConditionModel
    scheduler: Mapping[str, Any]


def load_folder(folder: Path, dtype: torch.dtype, variant: str | None = None) -> Parts:
    """Read the five parts; `variant` None takes half-precision files where there are no others.

    Raises `InputError` that names a missing file, or says which other kind of model the folder holds.
    """
    require_stable_diffusion(folder)
    return Parts(
        vae=_load_part(AutoencoderKL, folder, "vae", dtype, variant),
        text_encoder=_load_part(CLIPTextModel, folder, "text_encoder", dtype, variant),
        tokenizer=load_tokenizer(folder),
        unet=_load_part(UNet2DConditionModel, folder, "unet", dtype, variant),
        scheduler=read_config(folder, "scheduler/scheduler_config.json"),
    )


def require_stable_diffusion(folder: Path) -> None:
    """Raise `InputError` unless the configurations describe a text-to-image model of 1.x or 2.x."""
    kind = read_config(folder, "model_index.json").get("_class_name") if _has_index(folder) else None
    found = f"{str(folder)!r} holds {kind or 'another model'}"
    needed = "a Stable Diffusion 1.x or 2.x text-to-image model is needed"
    for foreign in ("transformer", "text_encoder_2", "prior"):
        if (folder / foreign).is_dir():
            raise InputError(f"{found} (it has {foreign}/); {needed}.")
    unet, vae = read_config(folder, "unet/config.json"), read_config(folder, "vae/config.json")
    text = read_config(folder, "text_encoder/config.json")
    channels, needs = unet.get("in_channels", 4), vae.get("latent_channels", 4)
    if channels != needs:
        hint = " (an inpainting model)" if channels == 2 * needs + 1 else ""
        raise InputError(f"{found}: its U-Net takes {channels} channels{hint}, not {needs}; {needed}.")
    encoder = text.get("architectures") or ["CLIPTextModel"]
    if encoder != ["CLIPTextModel"]:
        raise InputError(f"{found}: its text encoder is {encoder[0]}, not CLIPTextModel; {needed}.")
    width, context = text.get("hidden_size", 512), unet.get("cross_attention_dim", 1280)
    if width != context:
        raise InputError(f"{found}: its U-Net reads text {context} wide, its text encoder writes {width}.")


def _incomplete(folder: Path) -> str:
    return f"{str(folder)!r} is no complete diffusers folder"


def _has_index(folder: Path) -> bool:
    return (folder / "model_index.json").is_file()


def read_config(folder: Path, name: str) -> dict[str, Any]:
    """A JSON file of the checkpoint; raises `InputError` when it is missing or damaged."""
    path = folder / name
    if not path.is_file():
        raise InputError(f"{_incomplete(folder)}: {name} is missing.")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}.") from error
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object, not {type(content).__name__}.")
    return content


def load_tokenizer(folder: Path) -> CLIPTokenizer:
    """Read `tokenizer/`; raises `InputError` when its vocabulary is missing or damaged."""
    present = {path.name for path in (folder / "tokenizer").glob("*")}
    if "tokenizer.json" not in present:
        for name in sorted({"vocab.json", "merges.txt"} - present):
            raise InputError(f"{_incomplete(folder)}: tokenizer/{name} is missing.")
    try:
        return CLIPTokenizer.from_pretrained(folder, subfolder="tokenizer", local_files_only=True)
    except Exception as error:  # the library behind it raises nothing more special
        raise InputError(f"{folder / 'tokenizer'} cannot be read: {error}.") from error


def _load_part(kind: Any, folder: Path, name: str, dtype: torch.dtype, variant: str | None) -> Any:
    stem = "model" if kind is CLIPTextModel else "diffusion_pytorch_model"
    variant = _find_variant(folder, name, stem, variant)
    try:
        with quiet():
            network, report = kind.from_pretrained(
                folder,
                subfolder=name,
                dtype=dtype,
                variant=variant,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{folder / name} does not load as {kind.__name__}: {reason}") from error
    if lost := sorted(report["missing_keys"]):
        raise InputError(f"{folder / name} lacks {len(lost)} tensors of {kind.__name__}, {lost[0]} first.")
    return network


def _find_variant(folder: Path, part: str, stem: str, variant: str | None) -> str | None:
    """Which weight files to take; raises `InputError` when there are none, or only pickles."""
    for candidate in [variant] if variant else [None, "fp16"]:
        middle = f".{candidate}" if candidate else ""
        names = (f"{stem}{middle}.safetensors", f"{stem}.safetensors.index{middle}.json")
        if any((folder / part / name).is_file() for name in names):
            return candidate
    missing = f"{part}/{stem}{f'.{variant}' if variant else ''}.safetensors"
    pickles = sorted(path.name for pattern in PICKLES for path in (folder / part).glob(pattern))
    if pickles and not variant:
        raise InputError(
            f"{str(folder)!r} has {part}/{pickles[0]} but no {missing}: safetensors are "
            "needed, since pickles can run code; convert it where you trust it, with "
            "`DiffusionPipeline.from_pretrained(folder, use_safetensors=False).save_pretrained(new_folder)`."
        )
    raise InputError(f"{_incomplete(folder)}: {missing} is missing.")
