"""A frozen MiDaS-type depth network (Ranftl et al. 2021), from the package, the hub or a folder."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional as F
from transformers import DPTForDepthEstimation

from giftune.backbone._quiet import quiet
from giftune.backbone.folder import PICKLES
from giftune.backbone.hub import HUB_ID
from giftune.errors import InputError

EMBEDDED = "assets/depth"
NEEDED = "a DPTForDepthEstimation such as Intel/dpt-large or Intel/dpt-hybrid-midas is needed"
UNUSED = (
    "fusion_stage.layers.0.residual_layer1."  # the first fusion has no residual: published weights omit it
)


class DepthNetwork(nn.Module):
    """Frames in [-1, 1] to relative inverse depth (large is near), with gradients; never in training mode.

    The preprocessing of `DPTImageProcessor`, in torch: stretch to `size`, normalise.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, network: DPTForDepthEstimation, size: tuple[int, int], mean: list[float], std: list[float]
    ) -> None:
        super().__init__()
        self.network, self.size = network.requires_grad_(False).eval(), size
        self.register_buffer("mean", torch.tensor(mean)[:, None, None])
        self.register_buffer("std", torch.tensor(std)[:, None, None])

    def forward(self, frames: Float[Tensor, "n 3 h w"]) -> Float[Tensor, "n H W"]:
        if tuple(frames.shape[-2:]) != self.size:
            frames = F.interpolate(frames, self.size, mode="bilinear", antialias=True)
        pixels = ((frames + 1) / 2 - self.mean) / self.std
        return self.network(pixel_values=pixels).predicted_depth

    def train(self, mode: bool = True) -> "DepthNetwork":
        return super().train(False)


def load_depth(source: str | Path = "emojiworld", revision: str | None = None) -> DepthNetwork:
    """Load "emojiworld" (the embedded network), a folder of `save_pretrained`, or a model of the hub.

    Raises `InputError` for whatever is no depth network of this kind; pickled weights are never opened.
    """
    folder = _locate(str(source), revision)
    config = _read(folder, "config.json", source)
    kind = (config.get("architectures") or [config.get("model_type", "nothing known")])[0]
    if kind != "DPTForDepthEstimation":
        raise InputError(f"depth.source {str(source)!r} holds {kind}; {NEEDED}.")
    if not list(folder.glob("model*.safetensors")):
        pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
        reason = f"only {pickles[0]}, a pickle, which can run code" if pickles else "no model.safetensors"
        raise InputError(f"depth.source {str(source)!r} has {reason}: weights as safetensors are needed.")
    try:
        with quiet():
            network, report = DPTForDepthEstimation.from_pretrained(
                folder,
                dtype=torch.float32,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"depth.source {str(source)!r} does not load: {reason}") from error
    if lost := sorted(key for key in report["missing_keys"] if UNUSED not in key):
        raise InputError(
            f"depth.source {str(source)!r} lacks {len(lost)} tensors, {lost[0]} first; {NEEDED}."
        )
    processor = folder / "preprocessor_config.json"
    settings = _read(folder, processor.name, source) if processor.is_file() else {}
    half = [0.5] * 3
    size, mean, std = (
        _size(settings, config),
        settings.get("image_mean", half),
        settings.get("image_std", half),
    )
    return DepthNetwork(network, size, mean, std)


def _locate(source: str, revision: str | None) -> Path:
    path = Path(str(files("giftune.emojiworld"))) / EMBEDDED if source == "emojiworld" else Path(source)
    path = path.expanduser()
    if path.is_dir():
        return path
    if path.exists() or not HUB_ID.fullmatch(source):
        raise InputError(
            f"depth.source {source!r} is no folder; it may be 'emojiworld', a folder that `save_pretrained` "
            "wrote, or the id of a model on the hub (owner/name)."
        )
    try:
        wanted = ["config.json", "preprocessor_config.json", "model*.safetensors*"]
        return Path(snapshot_download(source, revision=revision, allow_patterns=wanted))
    except (OSError, ValueError) as error:
        raise InputError(
            f"depth.source {source!r} could not be fetched from the Hugging Face hub nor found in its cache "
            f"({type(error).__name__}); check the name and the network, or pass a local folder."
        ) from error


def _read(folder: Path, name: str, source: str | Path) -> dict[str, Any]:
    try:
        content = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        wrong = "is missing" if isinstance(error, FileNotFoundError) else "is not JSON"
        raise InputError(f"depth.source {str(source)!r} holds no model: {name} {wrong}; {NEEDED}.") from error
    if not isinstance(content, dict):
        raise InputError(f"depth.source {str(source)!r} holds no model: {name} is no JSON object; {NEEDED}.")
    return content


def _size(processor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[int, int]:
    """What the checkpoint was made for, in the old form (one number) or the new one."""
    size = processor.get("size")
    if isinstance(size, Mapping) and {"height", "width"} <= size.keys():
        return size["height"], size["width"]
    size = size if isinstance(size, int) else config.get("image_size", 384)
    return (size, size) if isinstance(size, int) else (size[0], size[1])
