"""A Stable Diffusion 1.x or 2.x checkpoint, from wherever it is, ready to be tuned."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from giftune.backbone._quiet import quiet
from giftune.backbone.folder import Parts, load_folder
from giftune.backbone.hub import HUB_ID, download
from giftune.backbone.latents import latent_factor
from giftune.backbone.lora import fuse_loras
from giftune.backbone.placement import resolve_device, resolve_dtype
from giftune.backbone.single_file import load_single_file
from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError

EMBEDDED = "assets/text_to_image"
PICKLES = {".ckpt", ".pt", ".pth", ".bin"}


@dataclass
class Backbone:
    """The frozen parts of a text-to-image model."""

    vae: AutoencoderKL
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    unet: UNet2DConditionModel
    schedule: Schedule
    source: str

    @property
    def latent_factor(self) -> int:
        return latent_factor(self.vae)

    @property
    def latent_channels(self) -> int:
        return self.vae.config.latent_channels

    @property
    def device(self) -> torch.device:
        return self.unet.device

    @property
    def dtype(self) -> torch.dtype:
        return self.unet.dtype


def load_backbone(
    source: str | Path,
    loras: Sequence[Any] = (),
    device: str = "auto",
    dtype: str = "auto",
    revision: str | None = None,
    variant: str | None = None,
    prediction_type: str | None = None,
    config: str | Path | None = None,
) -> Backbone:
    """Load "emojiworld" (the embedded model), a diffusers folder, a .safetensors file, or a model of the hub.

    `loras` are (path, scale) pairs, fused in this order. `prediction_type` overrides what the checkpoint says
    of itself; single files of Stable Diffusion 2.x say nothing. `config` is a folder of diffusers
    configurations for a single file of other widths. Pickled weights are never opened. Raises `InputError`
    for whatever cannot be used, naming what is missing or what was found.
    """
    where = resolve_device(device)
    number = resolve_dtype(dtype, where)
    # A small LoRA added to bfloat16 weights would be rounded away: fuse first, then lower the precision.
    parts = _load(source, torch.float32 if loras else number, revision, variant, prediction_type, config)
    schedule = Schedule.from_config(_override(parts.scheduler, prediction_type))
    with quiet():
        fuse_loras(parts.unet, parts.text_encoder, loras)
        for network in (parts.vae, parts.text_encoder, parts.unet):
            network.requires_grad_(False).eval().to(where, number)
    return Backbone(parts.vae, parts.text_encoder, parts.tokenizer, parts.unet, schedule, str(source))


def _load(
    source: str | Path,
    dtype: torch.dtype,
    revision: str | None,
    variant: str | None,
    prediction_type: str | None,
    config: str | Path | None,
) -> Parts:
    name, path = str(source), Path(source).expanduser()
    if path.is_file() and name != "emojiworld":
        _refuse_unused(name, "a single file", revision=revision, variant=variant)
        if path.suffix in PICKLES:
            raise InputError(
                f"backbone.source {name!r} is a pickle, which can run code; safetensors are needed: "
                "convert it where you trust it, with "
                "`StableDiffusionPipeline.from_single_file(file).save_pretrained(folder)`."
            )
        return load_single_file(path, dtype, prediction_type, None if config is None else Path(config))
    _refuse_unused(name, "no single file", config=config)
    if name == "emojiworld":
        _refuse_unused(name, "embedded", revision=revision)
        return load_folder(Path(str(files("giftune.emojiworld"))) / EMBEDDED, dtype, variant)
    if path.is_dir():
        _refuse_unused(name, "a local folder", revision=revision)
        return load_folder(path, dtype, variant)
    if path.suffix in {".safetensors", *PICKLES} or not HUB_ID.fullmatch(name):
        raise InputError(
            f"backbone.source {name!r} does not exist; it may be 'emojiworld', a diffusers folder, a "
            ".safetensors file, or the id of a model on the hub (owner/name)."
        )
    return load_folder(download(name, revision, variant), dtype, variant)


def _refuse_unused(source: str, kind: str, **settings: object) -> None:
    for name, value in settings.items():
        if value is not None:
            raise InputError(
                f"backbone.{name} is {str(value)!r}, but backbone.source {source!r} is {kind}: leave it out."
            )


def _override(scheduler: Mapping[str, Any], prediction_type: str | None) -> Mapping[str, Any]:
    return scheduler if prediction_type is None else {**scheduler, "prediction_type": prediction_type}
