"""The network of Pix2Gif around a backbone, which part of it learns, and its weights on disk."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from torch import nn

from giftune.backbone.stable_diffusion import Backbone
from giftune.errors import InputError
from giftune.unet.latent_warp import LatentWarp, Mode
from giftune.unet.motion_embedding import MotionEmbedding
from giftune.unet.pix2gif_unet import Join, Pix2GifUNet
from giftune.unet.trainable import select_trainable
from giftune.unet.weights import load_weights, read_metadata, save_weights, start_from_weights

EMBEDDED = "emojiworld"
NEW = ("conv_in", "embedding", "warp")


def pix2gif_unet(
    backbone: Backbone, gain: float | None, join: Join, width: int, mode: Mode, reach: float, seed: int
) -> Pix2GifUNet:
    """In place; new layers draw their weights from `seed`. `gain` None is without an embedding of motion."""
    text, channels = backbone.text_encoder.config, backbone.latent_channels
    tokens = min(backbone.tokenizer.model_max_length, text.max_position_embeddings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        table = None if gain is None else MotionEmbedding(text.hidden_size, gain=gain)
        warp = None
        if join != "source":
            warp = LatentWarp(tokens, text.hidden_size, channels, width, mode, reach)
        return Pix2GifUNet(backbone.unet, table, warp, join).to(backbone.device)


def trainable_names(network: Pix2GifUNet, parts: Sequence[str] | None) -> list[str]:
    """Mark what learns, in float32: the whole network, or these parts of the U-Net and all that is new."""
    if parts is None:
        network.requires_grad_(True)
    else:
        select_trainable(network.unet, [*parts, "conv_in"])
        for name, module in network.named_children():
            if name in NEW and module is not None:
                module.requires_grad_(True)
    for parameter in network.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    return [name for name, parameter in network.named_parameters() if parameter.requires_grad]


def save(network: Pix2GifUNet, path: Path, metadata: Mapping[str, Any]) -> None:
    names = [name for name, parameter in network.named_parameters() if parameter.requires_grad]
    save_weights(network, [*names, *_statistics(network)], path, metadata)


def load(network: Pix2GifUNet, path: str | Path, expected: Mapping[str, Any]) -> dict[str, Any]:
    """What the file says of itself; raises `InputError` for another network's."""
    if str(path) == EMBEDDED:
        path = Path(str(files("giftune.emojiworld"))) / "assets" / "pix2gif.safetensors"
        if not path.is_file():
            raise InputError(
                "method.weights is emojiworld, but this copy of giftune has no trained weights of Pix2Gif: "
                "make them with `giftune train method=pix2gif` and give their path."
            )
    load_weights(network, Path(path), expected, _statistics(network))
    return read_metadata(Path(path))


def start_from(network: Pix2GifUNet, path: Path, expected: Mapping[str, Any]) -> None:
    """Of any variant with fewer parts; raises `InputError` as `load` does."""
    shared = {key: value for key, value in expected.items() if key != "variant"}
    start_from_weights(network, path, shared, _statistics(network), widened=("unet.conv_in.weight",))


def _statistics(network: nn.Module) -> list[str]:
    """What batch norms have seen, which they go by once training is over."""
    return [name for name, _ in network.named_buffers() if name.endswith(("running_mean", "running_var"))]
