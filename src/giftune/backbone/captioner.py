"""Captions of pictures by BLIP-2 (Li et al. 2023), with which Tune-A-Video's benchmark was captioned."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from huggingface_hub import snapshot_download
from jaxtyping import UInt8
from transformers import Blip2ForConditionalGeneration, Blip2Processor

from giftune.backbone._quiet import quiet
from giftune.backbone.hub import HUB_ID
from giftune.backbone.placement import resolve_device, resolve_dtype
from giftune.backbone.snapshot import find_snapshot, load_network
from giftune.errors import InputError

PUBLISHED = "'Salesforce/blip2-opt-2.7b'"
PATTERNS = ("*.json", "*.txt", "*.safetensors")
TOKENIZERS = ("tokenizer.json", "vocab.json")
LONGEST = 30  # tokens of a caption


class Captioner:
    """A BLIP-2 model with the processor that belongs to it."""

    def __init__(self, model: Blip2ForConditionalGeneration, processor: Blip2Processor) -> None:
        self.model, self.processor = model, processor

    @torch.inference_mode()
    def caption(self, picture: UInt8[np.ndarray, "h w 3"]) -> str:
        """The likeliest sentence, word by word, without prompt; raises `InputError` if there is none."""
        inputs = self.processor(images=picture, return_tensors="pt")
        pixels = inputs["pixel_values"].to(self.model.device, self.model.dtype)
        with quiet():
            tokens = self.model.generate(pixel_values=pixels, do_sample=False, max_new_tokens=LONGEST)
        words = self.processor.decode(tokens[0], skip_special_tokens=True).split()
        if not words:
            raise InputError("the model has no words for a picture, is it trained to caption?")
        return " ".join(words)


def load_captioner(
    source: str = "Salesforce/blip2-opt-2.7b",
    device: str = "auto",
    dtype: str = "auto",
    download: bool = False,
) -> Captioner:
    """BLIP-2 from a folder in the layout of `transformers`, or by its id on the hub.

    Without `download` only the cache is looked into. Raises `InputError` for weights that are not here, and
    for what is no BLIP-2 with safetensors.
    """
    where = resolve_device(device)
    folder = _find(source, download)
    model = load_network(Blip2ForConditionalGeneration, folder, "", resolve_dtype(dtype, where), PUBLISHED)
    return Captioner(model.to(where), _load_processor(folder))


def _find(source: str, download: bool) -> Path:
    if download or not HUB_ID.fullmatch(source) or Path(source).expanduser().exists():
        return find_snapshot("model", source, PATTERNS, PUBLISHED)
    try:
        return Path(snapshot_download(source, local_files_only=True, allow_patterns=list(PATTERNS)))
    except (OSError, ValueError) as error:
        raise InputError(
            f"model {source!r} is not on this machine: download=true fetches it (about 15 GB for "
            f"{PUBLISHED}), or name a folder that has it."
        ) from error


def _load_processor(folder: Path) -> Any:
    if not any((folder / name).is_file() for name in TOKENIZERS):  # an empty one would be made up
        raise InputError(f"{folder} has no {TOKENIZERS[0]}; download {PUBLISHED} again.")
    try:
        return Blip2Processor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the libraries behind it raise nothing more special
        reason = " ".join(str(error).split())[:300]
        raise InputError(
            f"{folder} has no processor of BLIP-2; download {PUBLISHED} again: {reason}"
        ) from error
