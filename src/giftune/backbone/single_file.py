"""A Stable Diffusion checkpoint as one .safetensors file, with the tensor names of the CompVis code."""

from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import SingleFileComponentError, create_diffusers_clip_model_from_ldm
from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import CLIPTextModel

from giftune.backbone._quiet import quiet
from giftune.backbone.folder import Parts, load_tokenizer, read_config, require_stable_diffusion
from giftune.backbone.tokenizer import clip_tokenizer
from giftune.errors import InputError

PARTS = {
    "U-Net": "model.diffusion_model.",
    "autoencoder": "first_stage_model.",
    "text encoder": "cond_stage_model.",
}
CONVOLUTION = "model.diffusion_model.input_blocks.0.0.weight"
CROSS_ATTENTION = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
FAMILIES = {768: "sd1", 1024: "sd2"}  # by the width of the text embedding
PADDING = {"sd1": "<|endoftext|>", "sd2": "!"}
NEEDED = "a Stable Diffusion 1.x or 2.x text-to-image model is needed"


def load_single_file(
    path: Path, dtype: torch.dtype, prediction_type: str | None = None, config: Path | None = None
) -> Parts:
    """Read the parts of a single file; `config` is a diffusers folder that describes it, weights not needed.

    Without it, the configurations of Stable Diffusion 1.5 or 2.1 are used, whichever the tensors fit. Whether
    a 2.x model predicts noise or velocity cannot be seen in them, so `prediction_type` must say it. Raises
    `InputError` for incomplete files and for other kinds of models.
    """
    shapes = read_shapes(path)
    require_whole(path, shapes)
    if config is None:
        family = find_family(path, shapes)
        if family == "sd2" and prediction_type is None:
            raise InputError(
                f"backbone.source {str(path)!r} is a Stable Diffusion 2.x file, which does not say what it "
                "predicts: set backbone.prediction_type to 'v_prediction' (768-pixel models) or 'epsilon' "
                "(512-pixel base)."
            )
        config = Path(str(files("giftune.backbone"))) / "configs" / family
        tokenizer = clip_tokenizer(PADDING[family])
    else:
        require_stable_diffusion(config)
        tokenizer = load_tokenizer(config)
    scheduler = read_config(config, "scheduler/scheduler_config.json")
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in shapes if key.startswith(tuple(PARTS.values()))}
    try:
        with quiet():
            vae, unet, text_encoder = _build(tensors, str(config), dtype)
    except NotImplementedError as error:  # diffusers moves tensors that nothing was loaded into
        raise InputError(f"backbone.source {str(path)!r} lacks tensors that {config} describes.") from error
    except (OSError, ValueError, RuntimeError, KeyError, SingleFileComponentError) as error:
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"backbone.source {str(path)!r} does not fit {config}: {reason}") from error
    return Parts(vae, text_encoder, tokenizer, unet, scheduler)


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors, from the header; raises `InputError` if it is no safetensors file."""
    try:
        with safe_open(path, framework="pt") as file:
            return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"backbone.source {str(path)!r} is no readable safetensors file: {error}."
        ) from error


def require_whole(path: Path, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise `InputError` unless all three networks of a text-to-image model are there."""
    found = f"backbone.source {str(path)!r} is"
    if any(key.startswith("conditioner.embedders.") for key in shapes):
        raise InputError(f"{found} a Stable Diffusion XL model; {NEEDED}.")
    if any("joint_blocks." in key or "double_blocks." in key for key in shapes):
        raise InputError(f"{found} a transformer model (Stable Diffusion 3 or Flux); {NEEDED}.")
    if any("lora" in key for key in shapes):
        raise InputError(f"{found} a LoRA: pass it as backbone.loras beside the model that it was made for.")
    for name, prefix in PARTS.items():
        if not any(key.startswith(prefix) for key in shapes):
            raise InputError(f"{found} not a whole model: it has no {name} ({prefix}*); {NEEDED}.")
    channels = shapes.get(CONVOLUTION, (0, 0))[1]
    if channels != 4:
        hint = " (an inpainting model)" if channels == 9 else ""
        raise InputError(f"{found} a model whose U-Net takes {channels} channels{hint}, not 4; {NEEDED}.")


def find_family(path: Path, shapes: dict[str, tuple[int, ...]]) -> str:
    """ "sd1" or "sd2", by the width of the text that the U-Net reads; raises `InputError` for any other."""
    width = shapes.get(CROSS_ATTENTION, (0,))[-1]
    if width not in FAMILIES:
        raise InputError(
            f"backbone.source {str(path)!r} has a U-Net that reads text of width {width}, it must "
            "be 768 (1.x) or 1024 (2.x); any other needs a folder of configurations in backbone.config."
        )
    return FAMILIES[width]


def _build(tensors: dict[str, Tensor], config: str, dtype: torch.dtype) -> tuple[Any, Any, Any]:
    vae, unet = (
        kind.from_single_file(tensors, config=config, subfolder=name, dtype=dtype, local_files_only=True)
        for kind, name in ((AutoencoderKL, "vae"), (UNet2DConditionModel, "unet"))
    )
    text_encoder = create_diffusers_clip_model_from_ldm(
        CLIPTextModel,
        tensors,
        subfolder="text_encoder",
        config=config,
        torch_dtype=dtype,
        local_files_only=True,
    )
    return vae, unet, text_encoder.to("cpu")  # raises if a tensor was not loaded, as the other two did
