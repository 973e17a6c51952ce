"""Folders of weights for one purpose, on this machine or from the Hugging Face hub."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import PreTrainedModel

from giftune.backbone._quiet import quiet
from giftune.backbone.hub import HUB_ID
from giftune.errors import InputError

HALF = "*.fp16.*"
PICKLES = (".bin", ".ckpt", ".pt", ".pth")


def find_snapshot(
    setting: str, source: str | Path, patterns: Sequence[str], published: str, revision: str | None = None
) -> Path:
    """`source` itself if it is a folder, else what the hub has under that id and one of `patterns`.

    Half precision is fetched only where there is nothing else. Raises `InputError`, which names `published`,
    the id to download, if it is neither or cannot be fetched.
    """
    path, name = Path(source).expanduser(), str(source)
    if path.is_dir():
        if revision:
            raise InputError(
                f"revision is {revision!r}, but {setting} {name!r} is a local folder: leave it out."
            )
        return path
    if path.is_file() or not HUB_ID.fullmatch(name):
        found = "is a file" if path.is_file() else "does not exist"
        raise InputError(
            f"{setting} {name!r} {found}; it must be a folder or the id of a model on the hub, {published}."
        )
    try:
        fetch = partial(snapshot_download, name, revision=revision, allow_patterns=list(patterns))
        folder = Path(fetch(ignore_patterns=[HALF]))
        complete = any(folder.rglob("*.safetensors")) or not any("safetensors" in p for p in patterns)
        return folder if complete else Path(fetch())
    except (OSError, ValueError) as error:
        at = f" at revision {revision!r}" if revision else ""
        raise InputError(
            f"{setting} {name!r}{at} could not be fetched from the Hugging Face hub nor found in its cache "
            f"({type(error).__name__}); check the name and the network, or download {published} elsewhere "
            "and pass the folder."
        ) from error


def load_network(kind: Any, folder: Path, part: str, dtype: torch.dtype, published: str) -> Any:
    """The network in `folder`/`part` from safetensors, of half precision where there are no others.

    Raises `InputError`, which names `published`, for files that are missing, damaged or of another network.
    """
    where, advice = folder / part, f"download {published} again"
    variant = _find_variant(where, kind, advice)
    try:
        with quiet():
            network, report = kind.from_pretrained(
                where,
                dtype=dtype,
                variant=variant,
                use_safetensors=True,
                local_files_only=True,
                output_loading_info=True,
            )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{where} does not load as {kind.__name__}; {advice}: {reason}") from error
    if lost := sorted(report["missing_keys"]):
        raise InputError(f"{where} lacks {len(lost)} tensors of {kind.__name__}, {lost[0]} first; {advice}.")
    return network.requires_grad_(False).eval()


def _find_variant(where: Path, kind: Any, advice: str) -> str | None:
    stem = "model" if issubclass(kind, PreTrainedModel) else "diffusion_pytorch_model"
    if not (where / "config.json").is_file():
        raise InputError(f"{where} has no config.json; {advice}.")
    for variant in (None, "fp16"):
        middle = f".{variant}" if variant else ""
        names = (f"{stem}{middle}.safetensors", f"{stem}.safetensors.index{middle}.json")
        if any((where / name).is_file() for name in names):
            return variant
    if pickles := sorted(path.name for path in where.glob("*") if path.suffix in PICKLES):
        raise InputError(
            f"{where} has no {stem}.safetensors, only {pickles[0]}, and pickles can run code; {advice}, or "
            f"convert it where you trust it, with `{kind.__name__}.from_pretrained(folder, "
            "use_safetensors=False).save_pretrained(new_folder)`."
        )
    raise InputError(f"{where} has no {stem}.safetensors; {advice}.")
