"""Checkpoints from the Hugging Face hub."""

import re
from pathlib import Path

from diffusers import DiffusionPipeline

from giftune.errors import InputError

HUB_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*", re.ASCII)


def download(hub_id: str, revision: str | None = None, variant: str | None = None) -> Path:
    """The local folder of a checkpoint, fetched if it is not in the cache yet.

    Only safetensors and configurations are fetched, no code is run. Without a `variant`, half precision is
    taken where nothing else is offered. Raises `InputError` when the hub or the checkpoint cannot be reached.
    """
    try:
        return _download(hub_id, revision, variant)
    except OSError as error:
        if variant is None and "safetensors" in str(error):
            try:
                return _download(hub_id, revision, "fp16")
            except OSError:
                raise InputError(
                    f"backbone.source {hub_id!r} offers no safetensors weights on the hub; convert it with "
                    "`DiffusionPipeline.from_pretrained(...).save_pretrained(folder)` and pass that folder."
                ) from error
        raise InputError(_refusal(hub_id, revision, error)) from error
    except ValueError as error:  # a model_index.json that asks for code of its own
        raise InputError(_refusal(hub_id, revision, error)) from error


def _download(hub_id: str, revision: str | None, variant: str | None) -> Path:
    folder = DiffusionPipeline.download(
        hub_id,
        revision=revision,
        variant=variant,
        use_safetensors=True,
        trust_remote_code=False,
        safety_checker=None,
        feature_extractor=None,
    )
    return Path(folder)


def _refusal(hub_id: str, revision: str | None, error: Exception) -> str:
    at = f" at revision {revision!r}" if revision else ""
    return (
        f"backbone.source {hub_id!r}{at} could not be fetched from the Hugging Face hub nor found "
        f"in its cache ({type(error).__name__}); check the name and the network, or pass a local "
        "diffusers folder or .safetensors file instead."
    )
