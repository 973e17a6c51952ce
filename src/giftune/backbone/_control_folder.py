"""The folder of a ControlNet or a T2I-Adapter, found and read."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, T2IAdapter
from safetensors import safe_open

from giftune.backbone.folder import read_config
from giftune.backbone.snapshot import find_snapshot, load_network
from giftune.errors import InputError

EMBEDDED = "assets/controlnet_depth"
KINDS = {kind.__name__: kind for kind in (ControlNetModel, T2IAdapter)}
NEEDED = "a ControlNetModel or T2IAdapter is needed"
KNOWN = (
    "lllyasviel/sd-controlnet-depth, lllyasviel/control_v11f1p_sd15_depth, lllyasviel/sd-controlnet-canny or "
    "TencentARC/t2iadapter_depth_sd15v2"
)
WEIGHTS = ("diffusion_pytorch_model*.safetensors", "diffusion_pytorch_model*.json")


def load_control_network(
    source: str | Path | None, dtype: torch.dtype, revision: str | None
) -> ControlNetModel | T2IAdapter:
    """ "emojiworld", a folder or an id of the hub; raises `InputError` before any weights are fetched or read
    if it is another kind of network, and for files that are missing or damaged.
    """
    if source is None:
        raise InputError(
            "control.weights.source is null: no network for this kind of control is known for this backbone; "
            "name a ControlNet or T2I-Adapter that was trained for it."
        )
    if str(source) == "emojiworld":
        where: str | Path = Path(str(files("giftune.emojiworld"))) / EMBEDDED
        if not (Path(where) / "config.json").is_file():
            raise InputError(
                "the embedded ControlNet is not in this copy of giftune; in a checkout, `make zoo` trains it."
            )
    else:
        where = source
    folder = find_snapshot("control.weights.source", where, ["*.json"], KNOWN, revision)
    kind = _kind(folder, str(source))
    folder = find_snapshot("control.weights.source", where, ("config.json", *WEIGHTS), KNOWN, revision)
    network = load_network(kind, folder, "", dtype, KNOWN)
    _refuse_inflated(folder, str(source))
    return network


def _kind(folder: Path, source: str) -> Any:
    found = f"control.weights.source {source!r} holds"
    if not (folder / "config.json").is_file() and (folder / "model_index.json").is_file():
        whole = read_config(folder, "model_index.json").get("_class_name")
        raise InputError(f"{found} a whole {whole}; {NEEDED}, such as {KNOWN}.")
    config = read_config(folder, "config.json")
    name = config.get("_class_name")
    if name not in KINDS:
        raise InputError(f"{found} {name or 'another model'}; {NEEDED}, such as {KNOWN}.")
    if config.get("addition_embed_type") == "text_time" or config.get("adapter_type") == "full_adapter_xl":
        raise InputError(
            f"{found} a {name} for Stable Diffusion XL; one for Stable Diffusion 1.x or 2.x is needed, such "
            f"as {KNOWN}."
        )
    if name == "ControlNetModel" and config.get("conditioning_channels", 3) != 3:
        raise InputError(
            f"{found} a ControlNetModel for pictures of {config['conditioning_channels']} channels, not 3."
        )
    return KINDS[name]


def _refuse_inflated(folder: Path, source: str) -> None:
    """Loading ignores what is too much, and with it that the features were those of another network."""
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                if "temporal" in key:
                    raise InputError(
                        f"control.weights.source {source!r} was made of a U-Net after its inflation (it has "
                        f"{key}); a ControlNet made of the image model, or loaded by itself, is needed."
                    )
