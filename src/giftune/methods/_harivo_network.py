"""The network of HARIVO around a backbone: what is new in it learns, and is all that its file holds."""

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from torch import nn

from giftune.attention.frame_tokens import FrameTokenAttnProcessor
from giftune.attention.patterns import per_frame
from giftune.errors import InputError
from giftune.losses.contrastive import DecoupledContrastive
from giftune.unet.frame_tokens import FrameTokens
from giftune.unet.frame_words import FrameWords
from giftune.unet.mapping import MappingNetwork
from giftune.unet.motion_parts import MotionParts, inflate_with
from giftune.unet.motion_transformer import MotionTransformer
from giftune.unet.temporal import TemporalAttention
from giftune.unet.temporal_conv import TemporalConv
from giftune.unet.video_unet import VideoUNet
from giftune.unet.weights import load_weights, read_metadata, save_weights, start_from_weights

EMBEDDED = "emojiworld"
NEW = (
    TemporalAttention,
    TemporalConv,
    MotionTransformer,
    FrameWords,
    MappingNetwork,
    FrameTokens,
    FrameTokenAttnProcessor,
)


def harivo_network(unet: UNet2DConditionModel, parts: MotionParts, seed: int) -> VideoUNet:
    """In place; new layers draw their weights from `seed`, and they alone learn, in float32."""
    network = inflate_with(unet, parts, per_frame, seed)
    network.requires_grad_(False)
    for module in network.modules():
        if isinstance(module, NEW):
            module.requires_grad_(True).float()
    return network


def projected_contrast(unet: UNet2DConditionModel, seed: int) -> DecoupledContrastive:
    """The loss of the deepest features; its projection starts from `seed`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return DecoupledContrastive(unet.config.block_out_channels[-1]).to(unet.device)


def identity(network: VideoUNet, noise: str) -> dict[str, Any]:
    """What a file must agree with: how the network is built and how wide it is, but not on which weights."""
    config = network.unet.config
    return {
        "method": "harivo",
        **{
            "temporal_conv": False,
            "transformer": "none",
            "mapping": "none",
            "tokens": "none",
            **network.architecture,
        },
        "noise": noise,
        "widths": list(config.block_out_channels),
        "text_width": config.cross_attention_dim,
    }


def save(network: VideoUNet, path: Path, metadata: Mapping[str, Any]) -> None:
    exported = _exported(network)
    names = [name for name, parameter in exported.named_parameters() if parameter.requires_grad]
    save_weights(exported, names, path, metadata)


def load(network: VideoUNet, path: str | Path, expected: Mapping[str, Any]) -> None:
    """Raises `InputError` for weights of another network or of other widths."""
    if str(path) == EMBEDDED:
        path = Path(str(files("giftune.emojiworld"))) / "assets" / "harivo.safetensors"
        if not path.is_file():
            raise InputError(
                "method.weights is emojiworld, but this copy of giftune has no trained weights of HARIVO: "
                "make them with `giftune train method=harivo` and give their path."
            )
    load_weights(_exported(network), Path(path), expected)


def start_from(network: VideoUNet, path: Path, expected: Mapping[str, Any]) -> None:
    """Parts that the file's network did not have stay as they are; raises `InputError` as `load` does."""
    lacking = {key for key, value in read_metadata(path).items() if value in (False, "none")}
    shared = {key: value for key, value in expected.items() if key not in lacking}
    start_from_weights(_exported(network), path, shared)


def _exported(network: VideoUNet) -> nn.Module:
    """Without what only the training needs."""
    names = ("unet", "mapping", "tokens", "words")
    return nn.ModuleDict({name: part for name in names if (part := getattr(network, name)) is not None})
