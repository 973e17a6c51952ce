"""The networks that metrics and losses look through: loaded here and nowhere else, once, and shared.

Nothing is fetched unless `download` is set, and nothing stands in for what is missing.
"""

import functools
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import open_clip
import torch
from open_clip.pretrained import get_pretrained_cfg
from safetensors import SafetensorError
from torch import nn
from torchmetrics.image.lpip import LearnedPerceptualImagePatchSimilarity
from torchvision.models import AlexNet_Weights, VGG19_Weights, vgg19  # type: ignore[import-untyped]
from torchvision.models.optical_flow import (  # type: ignore[import-untyped]
    Raft_Large_Weights,
    Raft_Small_Weights,
    raft_large,
    raft_small,
)
from transformers import CLIPModel, DPTForDepthEstimation, DPTImageProcessor
from transformers.utils import cached_file

from giftune.errors import InputError
from giftune.metrics._quiet import quiet
from giftune.metrics.clip_network import OpenClip, TransformersClip
from giftune.metrics.depth_network import DepthNetwork
from giftune.metrics.flow_network import FlowNetwork
from giftune.metrics.latent_vgg import LatentVgg

EMBEDDED = "emojiworld"
CLIP_WEIGHTS = "open_clip_model.safetensors"
RAFT = {
    "raft_small": (raft_small, Raft_Small_Weights.DEFAULT),
    "raft_large": (raft_large, Raft_Large_Weights.DEFAULT),
}
UNUSED = "fusion_stage.layers.0.residual_layer1."  # DPT's first fusion has no residual: files may omit it
PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt")
FETCH = "download=true fetches it"


class MissingWeights(InputError):
    """Weights that are not on this machine; the sentence says which, and where they come from."""


@functools.cache
def load_clip(source: str = "ViT-L-14", device: str = "cpu", download: bool = False) -> OpenClip:
    """An open_clip model by name, with OpenAI's weights (`ViT-L-14`) or others (`ViT-B-32:laion400m_e32`),
    a folder with open_clip_config.json and open_clip_model.safetensors, or `emojiworld`.

    Raises `MissingWeights`, and `InputError` for what is no CLIP with a vision transformer.
    """
    settings: dict[str, Any] = {}
    if (folder := _folder(source, "clip", "CLIP")) is not None:
        if not (folder / "open_clip_config.json").is_file() or not (folder / CLIP_WEIGHTS).is_file():
            raise InputError(f"clip source {source} lacks open_clip_config.json or {CLIP_WEIGHTS}.")
        name = f"local-dir:{folder}"
    else:
        name, settings = _published_clip(source, download)
    try:
        with quiet():
            model = open_clip.create_model(name, require_pretrained=True, device=device, **settings)
            tokenizer = open_clip.get_tokenizer(name)
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise InputError(
            f"clip source {source} cannot be loaded by open_clip: {_first_line(error)}"
        ) from error
    if not isinstance(getattr(model.visual, "proj", None), nn.Parameter):
        raise InputError(
            f"clip source {source} has no vision transformer with a projection, which metrics need."
        )
    return OpenClip(model, tokenizer, f"CLIP {_shown(source)}")


@functools.cache
def load_pick_score(
    source: str = "yuvalkirstain/PickScore_v1", device: str = "cpu", download: bool = False
) -> TransformersClip:
    """A CLIPModel of `transformers`, from a folder or the hub, tuned on human choices (Kirstain et al. 2023).

    Its tokenizer and colours are those of CLIP-ViT-H-14-laion2B, which are open_clip's own. Raises
    `MissingWeights`, and `InputError` for another kind of model.
    """
    model = _transformers_model(CLIPModel, source, download, "PickScore")
    tokenizer = open_clip.SimpleTokenizer(context_length=model.config.text_config.max_position_embeddings)
    colours = open_clip.OPENAI_DATASET_MEAN, open_clip.OPENAI_DATASET_STD
    return TransformersClip(model.to(device), tokenizer, *colours, f"PickScore {_shown(source)}")


@functools.cache
def load_depth(
    source: str = "Intel/dpt-hybrid-midas", device: str = "cpu", download: bool = False
) -> DepthNetwork:
    """A DPTForDepthEstimation from the hub, a folder that `save_pretrained` wrote, or `emojiworld`.

    Raises `MissingWeights`, and `InputError` for what is no depth network; pickles are never opened.
    """
    folder = _folder(source, "depth", "depth network")
    model = _transformers_model(DPTForDepthEstimation, str(folder or source), download, "depth network")
    size, mean, std = _depth_input(str(folder or source), model.config, download)
    return DepthNetwork(model, size, mean, std, f"DPT {_shown(source)}").to(device)


@functools.cache
def load_flow(source: str = "raft_small", device: str = "cpu", download: bool = False) -> FlowNetwork:
    """torchvision's `raft_small` or `raft_large`; raises `MissingWeights`, `InputError` for another name."""
    if source not in RAFT:
        raise InputError(f"flow source is {source!r}, it must be one of {', '.join(RAFT)}.")
    build, weights = RAFT[source]
    _require_torch_weights(f"RAFT ({source})", weights.url, download)
    return FlowNetwork(build(weights=weights, progress=False), f"RAFT {source}", torch.device(device))


@functools.cache
def load_lpips(device: str = "cpu", download: bool = False) -> LearnedPerceptualImagePatchSimilarity:
    """LPIPS on AlexNet (Zhang et al. 2018), for pictures in [-1, 1]; raises `MissingWeights`."""
    _require_torch_weights("AlexNet for LPIPS", AlexNet_Weights.IMAGENET1K_V1.url, download)
    return LearnedPerceptualImagePatchSimilarity(net_type="alex").to(device)


@functools.cache
def load_latent_vgg(device: str = "cpu", download: bool = False) -> LatentVgg:
    """torchvision's VGG-19 for pictures, made to look at latents; raises `MissingWeights`."""
    weights = VGG19_Weights.IMAGENET1K_V1
    _require_torch_weights("VGG-19 for the perceptual loss", weights.url, download)
    return LatentVgg(vgg19(weights=weights, progress=False).features).to(device)


def _folder(source: str, embedded: str, what: str) -> Path | None:
    """The local folder that `source` names, or None when it must be a published name."""
    if source == EMBEDDED:
        folder = Path(str(files("giftune"))) / "emojiworld" / "assets" / embedded
        if not any(folder.glob("*.safetensors")):
            raise MissingWeights(
                f"the embedded {what} is not in this copy of giftune; in a checkout, `make zoo` trains it."
            )
        return folder
    return Path(source) if Path(source).is_dir() else None


def _published_clip(source: str, download: bool) -> tuple[str, dict[str, Any]]:
    name, _, tag = source.partition(":")
    weights = get_pretrained_cfg(name, tag or "openai")
    if not weights.get("hf_hub"):
        known = "a folder or the name of an open_clip model with published weights, such as ViT-L-14"
        raise InputError(f"clip source is {source!r}, it must be {known}.")
    repository, _, file = weights["hf_hub"].rpartition("/")
    path = _cached(f"CLIP {source}", repository, file or CLIP_WEIGHTS, download)
    colours = {key: weights[key] for key in ("mean", "std") if key in weights}
    quick = bool(weights.get("quick_gelu"))
    return name, {"pretrained": path, "force_quick_gelu": quick, "force_preprocess_cfg": colours}


def _transformers_model(kind: Any, source: str, download: bool, what: str) -> Any:
    local = Path(source).is_dir()
    if local and not (Path(source) / "config.json").is_file():
        raise InputError(f"{what} source {source} lacks config.json.")
    if not local:
        _cached(what, source, "config.json", download)
    elif not any(Path(source).glob("*.safetensors")):
        pickles = sorted(path.name for pattern in PICKLES for path in Path(source).glob(pattern))
        found = f"only {pickles[0]}, a pickle, which can run code" if pickles else "no *.safetensors"
        raise InputError(f"{what} source {source} has {found}: weights as safetensors are needed.")
    with quiet():
        try:
            config = kind.config_class.get_config_dict(source, local_files_only=not download)[0]
            found = (config.get("architectures") or [config.get("model_type")])[0]
            if found != kind.__name__:
                raise InputError(f"{what} source {source} holds {found}, it must be a {kind.__name__}.")
            model, report = kind.from_pretrained(
                source,
                local_files_only=not download,
                output_loading_info=True,
                dtype=torch.float32,
                use_safetensors=True,
            )
        except (OSError, ValueError, RuntimeError, SafetensorError) as error:
            if isinstance(error, InputError):
                raise
            refusal = f"{what} source {source} cannot be loaded: {_first_line(error)}"
            raise (InputError if local else MissingWeights)(refusal) from error
    if missing := sorted(key for key in report["missing_keys"] if UNUSED not in key):
        raise InputError(
            f"{what} source {source} is no {what}: it lacks {missing[0]} and {len(missing) - 1} more."
        )
    return model


def _depth_input(
    source: str, config: Any, download: bool
) -> tuple[tuple[int, int], Sequence[float], Sequence[float]]:
    """Size, mean and spread of colours: of the processor beside the weights, else DPT's usual ones."""
    try:
        processor = DPTImageProcessor.from_pretrained(source, local_files_only=not download)
    except OSError:
        sides = [config.image_size] * 2 if isinstance(config.image_size, int) else config.image_size
        return (sides[0], sides[1]), [0.5] * 3, [0.5] * 3
    return (processor.size["height"], processor.size["width"]), processor.image_mean, processor.image_std


def _cached(what: str, repository: str, file: str, download: bool) -> str:
    try:
        return cached_file(repository, file, local_files_only=not download)
    except (OSError, ValueError) as error:
        remedy = "could not be fetched" if download else f"is not in the cache; {FETCH}"
        raise MissingWeights(f"{what}: {file} of {repository} on the Hugging Face hub {remedy}.") from error


def _require_torch_weights(what: str, url: str, download: bool) -> None:
    place, _, file = url.rpartition("/")
    if (Path(torch.hub.get_dir()) / "checkpoints" / file).is_file():
        return
    if not download:
        raise MissingWeights(f"{what}: {file} of {place} is not in torch's cache; {FETCH}.")
    try:
        torch.hub.load_state_dict_from_url(url, progress=False)
    except OSError as error:
        raise MissingWeights(f"{what}: {url} could not be fetched.") from error


def _shown(source: str) -> str:
    return Path(source).name if Path(source).is_dir() else source


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
