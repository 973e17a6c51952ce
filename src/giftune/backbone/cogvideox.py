"""CogVideoX (Yang et al. 2024), a text-to-video model of its own, as diffusers has it."""

from pathlib import Path

from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXDPMScheduler,
    CogVideoXPipeline,
    CogVideoXTransformer3DModel,
)
from transformers import T5EncoderModel, T5Tokenizer

from giftune.backbone._quiet import quiet
from giftune.backbone.folder import read_config
from giftune.backbone.placement import resolve_device, resolve_dtype
from giftune.backbone.snapshot import find_snapshot, load_network
from giftune.errors import InputError

PUBLISHED = "'THUDM/CogVideoX-2b'"
FILES = ("*/*.json", "*/*.safetensors", "tokenizer/*")
NETWORKS = {
    "vae": AutoencoderKLCogVideoX,
    "text_encoder": T5EncoderModel,
    "transformer": CogVideoXTransformer3DModel,
}
SCHEDULERS = {kind.__name__: kind for kind in (CogVideoXDDIMScheduler, CogVideoXDPMScheduler)}


def load_cogvideox(
    source: str | Path,
    device: str = "auto",
    dtype: str = "auto",
    offload: bool = False,
    revision: str | None = None,
) -> CogVideoXPipeline:
    """The text-to-video pipeline from a folder in the layout of THUDM/CogVideoX-2b, or from the hub.

    With `offload` a network is on the GPU only while it is needed, and frames are decoded in tiles. Raises
    `InputError` for other kinds of models, and for files that are missing or damaged.
    """
    where = resolve_device(device)
    number = resolve_dtype(dtype, where)
    folder = find_snapshot("source", source, ["model_index.json"], PUBLISHED, revision)
    if not (folder / "model_index.json").is_file():
        raise InputError(f"source {str(source)!r} has no model_index.json: download {PUBLISHED}.")
    if (kind := read_config(folder, "model_index.json").get("_class_name")) != "CogVideoXPipeline":
        raise InputError(
            f"source {str(source)!r} is a {kind}, a CogVideoXPipeline is needed: download {PUBLISHED}."
        )
    folder = find_snapshot("source", source, FILES, PUBLISHED, revision)
    tokenizer, scheduler = _read_tokenizer(folder / "tokenizer"), _read_scheduler(folder)
    networks = {name: load_network(kind, folder, name, number, PUBLISHED) for name, kind in NETWORKS.items()}
    with quiet():
        pipeline = CogVideoXPipeline(tokenizer=tokenizer, scheduler=scheduler, **networks)
        pipeline.set_progress_bar_config(disable=True)
        if not offload or where.type == "cpu":
            return pipeline.to(where)
        pipeline.vae.enable_tiling()
        pipeline.enable_model_cpu_offload(device=where)
    return pipeline


def _read_scheduler(folder: Path) -> CogVideoXDDIMScheduler | CogVideoXDPMScheduler:
    config = read_config(folder, "scheduler/scheduler_config.json")
    if (kind := config.get("_class_name")) not in SCHEDULERS:
        raise InputError(
            f"{folder} has a {kind}, it must be one of {', '.join(SCHEDULERS)}: download {PUBLISHED}."
        )
    return SCHEDULERS[kind].from_config(config)


def _read_tokenizer(folder: Path) -> T5Tokenizer:
    if not (folder / "spiece.model").is_file():
        raise InputError(f"{folder} has no spiece.model: download {PUBLISHED}.")
    try:
        with quiet():
            return T5Tokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the libraries behind it raise nothing more special
        message = f"{folder / 'spiece.model'} is no SentencePiece model of T5: download {PUBLISHED}."
        raise InputError(message) from error
