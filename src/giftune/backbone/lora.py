"""LoRA (Hu et al. 2022): W + scale * (alpha / rank) * B A, added to the weights for good."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.loaders import StableDiffusionLoraLoaderMixin
from diffusers.utils import (
    convert_state_dict_to_diffusers,
    convert_state_dict_to_peft,
    convert_unet_state_dict_to_peft,
)
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from transformers import CLIPTextModel

from giftune.errors import InputError

FOLDER_FILE = "pytorch_lora_weights.safetensors"
DOWN = ".lora_A.weight"


class _Loader(StableDiffusionLoraLoaderMixin):
    """The LoRA half of a pipeline, without the rest of it."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
        self.unet, self.text_encoder = unet, text_encoder


def fuse_loras(unet: UNet2DConditionModel, text_encoder: CLIPTextModel, loras: Sequence[Any]) -> None:
    """Add each (path, scale) to the weights in place, in order; no name of a parameter changes.

    Call it before inflating: an adapter that is still attached renames the weights that tuning selects. Files
    may be in the layout of diffusers, peft or kohya. Raises `InputError` for files of another kind or model.
    """
    loader = _Loader(unet, text_encoder)
    for pair in loras:
        path, scale = _read_pair(pair)
        _refuse_dora(path)
        try:
            state, alphas, metadata = loader.lora_state_dict(
                str(path), use_safetensors=True, local_files_only=True, return_lora_metadata=True
            )
        except (OSError, ValueError, RuntimeError, KeyError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"LoRA {str(path)!r} is no Stable Diffusion LoRA: {reason}") from error
        _require_match(path, state, {"unet": unet, "text_encoder": text_encoder})
        loader.load_lora_into_unet(state, alphas, unet, metadata=metadata)
        loader.load_lora_into_text_encoder(state, alphas, text_encoder, metadata=metadata)
        loader.fuse_lora(["unet", "text_encoder"], lora_scale=scale)
        loader.unload_lora_weights()


def _read_pair(pair: Any) -> tuple[Path, float]:
    if (
        isinstance(pair, str)
        or not isinstance(pair, Sequence)
        or len(pair) != 2
        or not isinstance(pair[1], int | float)
    ):
        raise InputError(f"backbone.loras has {pair!r}, it must be a path and a scale: [a.safetensors, 0.8].")
    path = Path(pair[0]).expanduser()
    if path.is_dir():
        path = path / FOLDER_FILE
    if not path.is_file():
        raise InputError(f"LoRA {str(path)!r} does not exist.")
    if path.suffix != ".safetensors":
        raise InputError(f"LoRA {str(path)!r} is not a .safetensors file, and pickles can run code.")
    return path, float(pair[1])


def _refuse_dora(path: Path) -> None:
    """diffusers would drop the magnitudes of kohya's DoRA, which leaves other weights than were trained."""
    try:
        with safe_open(path, framework="pt") as file:
            dora = any("dora_scale" in key for key in file.keys())  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(f"LoRA {str(path)!r} is no readable safetensors file: {error}.") from error
    if dora:
        raise InputError(f"LoRA {str(path)!r} is a DoRA in kohya's layout, which cannot be fused.")


def _require_match(path: Path, state: Mapping[str, Tensor], networks: dict[str, nn.Module]) -> None:
    layers = {f"{part}.{name}": m for part, net in networks.items() for name, m in net.named_modules()}
    unknown = []
    downs = list(_down_projections(state, hasattr(networks["text_encoder"], "text_model")))
    for name, down in downs:
        weight = getattr(layers.get(name), "weight", None)
        if weight is None:
            unknown.append(name)
        elif weight.shape[1] != down.shape[1]:
            raise InputError(
                f"LoRA {str(path)!r} was made for another model: {name} has {down.shape[1]} inputs there and "
                f"{weight.shape[1]} here."
            )
    if len(unknown) == len(downs):
        first = (unknown or sorted(state))[:1]
        raise InputError(f"LoRA {str(path)!r} changes no layer of this model; it names {first}.")
    if unknown:
        lost = f"{len(unknown)} of its {len(downs)} layers do not exist here and are ignored"
        warnings.warn(f"LoRA {str(path)!r}: {lost}, {unknown[0]} first.", stacklevel=3)


def _down_projections(state: Mapping[str, Tensor], nested_text_model: bool) -> Iterator[tuple[str, Tensor]]:
    """The A of every layer, under the layer's name in the network, whatever the layout of the file."""
    for part in ("unet", "text_encoder"):
        own = {key.removeprefix(f"{part}."): a for key, a in state.items() if key.startswith(f"{part}.")}
        if part == "unet":
            own = convert_unet_state_dict_to_peft(own)
        elif own:
            own = convert_state_dict_to_peft(convert_state_dict_to_diffusers(own))
        for key, value in own.items():
            if key.endswith(DOWN):
                name = key.removesuffix(DOWN)
                yield f"{part}.{name if nested_text_model else name.removeprefix('text_model.')}", value
