"""Motion modules of AnimateDiff (Guo et al. 2024, section 4.2), put behind the layers of the image U-Net."""

import warnings
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from diffusers import MotionAdapter, UNet2DConditionModel, UNetMotionModel

from giftune.backbone._quiet import quiet
from giftune.backbone.folder import read_config
from giftune.backbone.lora import fuse_loras
from giftune.backbone.snapshot import find_snapshot, load_network
from giftune.backbone.stable_diffusion import Backbone
from giftune.errors import InputError

PUBLISHED = "'guoyww/animatediff-motion-adapter-v1-5-2' or 'wangfuyun/AnimateLCM'"
WEIGHTS = ("diffusion_pytorch_model*.safetensors", "diffusion_pytorch_model*.json")


def load_motion_unet(
    backbone: Backbone,
    adapter: str | Path,
    lora: str | None = None,
    lora_scale: float = 1.0,
) -> UNetMotionModel:
    """A copy of the backbone's U-Net with the modules of `adapter`, a diffusers folder or a hub id.

    `lora` is a file in the same place, fused into the copy first. Raises `InputError` before any weights are
    fetched or read if the adapter was made for another U-Net, and for files that are missing or damaged.
    """
    folder = find_snapshot("adapter", adapter, ["config.json"], PUBLISHED)
    if not (folder / "config.json").is_file():
        raise InputError(f"adapter {str(adapter)!r} has no config.json: download {PUBLISHED}.")
    _require_fit(f"adapter {str(adapter)!r}", read_config(folder, "config.json"), backbone)
    folder = find_snapshot("adapter", adapter, (*WEIGHTS, *([lora] if lora else [])), PUBLISHED)
    if lora and not (folder / lora).is_file():
        raise InputError(
            f"adapter {str(adapter)!r} has no {lora}: download {PUBLISHED}, or set lora to null."
        )
    modules = load_network(MotionAdapter, folder, "", backbone.dtype, PUBLISHED)
    unet = _with_lora(backbone, folder / lora, lora_scale) if lora else backbone.unet
    # The layers of the new network draw weights from the global generator, which are then overwritten.
    with quiet(), torch.random.fork_rng(devices=[]):
        network = UNetMotionModel.from_unet2d(unet, modules)
        return network.requires_grad_(False).eval().to(backbone.device, backbone.dtype)


def _with_lora(backbone: Backbone, path: Path, scale: float) -> UNet2DConditionModel:
    """A copy, since the backbone may serve others; in float32, since bfloat16 rounds small changes away."""
    unet = deepcopy(backbone.unet).float()
    with quiet():
        fuse_loras(unet, backbone.text_encoder, [(path, scale)])
    return unet


def _require_fit(name: str, config: Mapping[str, Any], backbone: Backbone) -> None:
    if (kind := config.get("_class_name")) != "MotionAdapter":
        raise InputError(f"{name} is {kind or 'another model'}, not a MotionAdapter: download {PUBLISHED}.")
    if config.get("conv_in_channels"):
        raise InputError(f"{name} also takes a picture (PIA), only text will be given: download {PUBLISHED}.")
    unet = backbone.unet.config
    levels, needed = tuple(config.get("block_out_channels", (320, 640, 1280, 1280))), unet.block_out_channels
    if levels != tuple(needed):
        hint = " (Stable Diffusion XL)" if levels == (320, 640, 1280) else ""
        raise InputError(
            f"{name} is made for a U-Net of {_listed(levels)} channels{hint}, the backbone "
            f"{backbone.source!r} has {_listed(needed)}; for Stable Diffusion 1.5 (backbone=sd15) it is "
            f"{PUBLISHED}."
        )
    for setting, theirs, ours in (
        ("layers per block", config.get("motion_layers_per_block", 2), unet.layers_per_block),
        ("groups in its norms", config.get("motion_norm_num_groups", 32), unet.norm_num_groups),
    ):
        if _each(theirs, len(levels)) != _each(ours, len(levels)):
            raise InputError(f"{name} has {theirs} {setting}, the backbone {backbone.source!r} has {ours}.")
    if needed[-1] == 1280 and unet.cross_attention_dim != 768:
        warnings.warn(f"{name} was trained on Stable Diffusion 1.5, the backbone is another.", stacklevel=3)


def _listed(channels: Any) -> str:
    return ", ".join(map(str, channels))


def _each(value: Any, count: int) -> tuple[int, ...]:
    return (value,) * count if isinstance(value, int) else tuple(value)
