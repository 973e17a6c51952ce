"""The folder of a ControlNet or a T2I-Adapter, found and read."""

import json
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, T2IAdapter
from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError
from safetensors import SafetensorError

from giftune.backbone._quiet import quiet
from giftune.backbone.folder import PICKLES, read_config
from giftune.backbone.hub import HUB_ID
from giftune.errors import InputError

EMBEDDED = "assets/controlnet_depth"
KINDS = {kind.__name__: kind for kind in (ControlNetModel, T2IAdapter)}
NEEDED = "a ControlNetModel or T2IAdapter is needed"
KNOWN = (
    "lllyasviel/sd-controlnet-depth, lllyasviel/control_v11f1p_sd15_depth, lllyasviel/sd-controlnet-canny or "
    "TencentARC/t2iadapter_depth_sd15v2"
)


def find_folder(source: str | Path | None, revision: str | None, variant: str | None) -> Path:
    """Where `source` lies on this machine, fetched from the hub if need be."""
    name, path = str(source), Path(str(source)).expanduser()
    if source is None:
        raise InputError(
            "control.weights.source is null: no network for this kind of control is known for this backbone; "
            "name a ControlNet or T2I-Adapter that was trained for it."
        )
    if name == "emojiworld":
        _refuse_revision(name, "embedded", revision)
        folder = Path(str(files("giftune.emojiworld"))) / EMBEDDED
        if not (folder / "config.json").is_file():
            raise InputError(
                "the embedded ControlNet is not in this copy of giftune; in a checkout, `make zoo` trains it."
            )
        return folder
    if path.is_dir():
        _refuse_revision(name, "a local folder", revision)
        return path
    if path.is_file() or path.suffix in {".safetensors", ".ckpt", ".pt", ".pth", ".bin"}:
        raise InputError(
            f"control.weights.source {name!r} is a single file, a diffusers folder is needed: config.json "
            f"and diffusion_pytorch_model.safetensors, as in {KNOWN}."
        )
    if not HUB_ID.fullmatch(name):
        raise InputError(
            f"control.weights.source {name!r} does not exist; it may be 'emojiworld', a diffusers folder, or "
            f"the id of a network on the hub, such as {KNOWN}."
        )
    return _download(name, revision, variant)


def load_network(
    folder: Path, source: str, dtype: torch.dtype, variant: str | None = None
) -> ControlNetModel | T2IAdapter:
    """Read the one network in `folder`; `variant` None takes half precision where there is nothing else."""
    kind = _kind(folder, source)
    variant = _find_variant(folder, source, variant)
    try:
        with quiet():
            network, report = kind.from_pretrained(
                folder,
                dtype=dtype,
                variant=variant,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError, TypeError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"control.weights.source {source!r} does not load as {kind.__name__}: {reason}"
        ) from error
    if temporal := sorted(key for key in report["unexpected_keys"] if "temporal" in key):
        raise InputError(
            f"control.weights.source {source!r} was made of a U-Net after its inflation (it has "
            f"{temporal[0]}); a ControlNet made of the image model, or loaded by itself, is needed."
        )
    if lost := sorted(report["missing_keys"]):
        raise InputError(
            f"control.weights.source {source!r} lacks {len(lost)} tensors of {kind.__name__}, "
            f"{lost[0]} first."
        )
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


def _weights(variant: str | None) -> tuple[str, str]:
    """The file, or the index of its shards."""
    middle = f".{variant}" if variant else ""
    stem = "diffusion_pytorch_model"
    return f"{stem}{middle}.safetensors", f"{stem}.safetensors.index{middle}.json"


def _find_variant(folder: Path, source: str, variant: str | None) -> str | None:
    for candidate in [variant] if variant else [None, "fp16"]:
        if any((folder / name).is_file() for name in _weights(candidate)):
            return candidate
    missing = _weights(variant)[0]
    pickles = sorted(path.name for pattern in PICKLES for path in folder.glob(pattern))
    if pickles and not variant:
        kind = read_config(folder, "config.json")["_class_name"]
        raise InputError(
            f"control.weights.source {source!r} has {pickles[0]} but no {missing}: safetensors are needed, "
            "since pickles can run code; convert it where you trust it, with "
            f"`diffusers.{kind}.from_pretrained(folder, use_safetensors=False).save_pretrained(new_folder)`."
        )
    raise InputError(
        f"control.weights.source {source!r} lacks {missing}; of the hub, {KNOWN} may be downloaded."
    )


def _download(hub_id: str, revision: str | None, variant: str | None) -> Path:
    """Only the configuration and safetensors are fetched."""
    at = f" at revision {revision!r}" if revision else ""
    try:
        config = Path(hf_hub_download(hub_id, "config.json", revision=revision))
        for candidate in [variant] if variant else [None, "fp16"]:
            for name in _weights(candidate):
                try:
                    _fetch_weights(hub_id, name, revision)
                    return config.parent
                except EntryNotFoundError as error:
                    if isinstance(error, LocalEntryNotFoundError) and candidate == "fp16":
                        raise
        raise InputError(
            f"control.weights.source {hub_id!r}{at} offers no {_weights(variant)[0]} on the hub; convert it "
            "with `from_pretrained(...).save_pretrained(folder)` and pass that folder."
        )
    except (OSError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"control.weights.source {hub_id!r}{at} could not be fetched from the Hugging Face hub nor found "
            f"in its cache ({type(error).__name__}); check the name and the network, or pass a local folder "
            "with config.json and diffusion_pytorch_model.safetensors instead."
        ) from error


def _fetch_weights(hub_id: str, name: str, revision: str | None) -> None:
    path = Path(hf_hub_download(hub_id, name, revision=revision))
    if path.suffix == ".json":
        for shard in sorted(set(json.loads(path.read_text(encoding="utf-8"))["weight_map"].values())):
            hf_hub_download(hub_id, shard, revision=revision)


def _refuse_revision(source: str, kind: str, revision: str | None) -> None:
    if revision is not None:
        raise InputError(
            f"control.weights.revision is {revision!r}, but control.weights.source {source!r} is {kind}: "
            "leave it out."
        )
