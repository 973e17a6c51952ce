"""Random checkpoints in the exact layouts of real releases: miniatures, and one of the true size."""

import json
from importlib.resources import files
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from open_clip.tokenizer import bytes_to_unicode
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

WORDS = (
    "a",
    "cat",
    "panda",
    "ball",
    "is",
    "runs",
    "surfing",
    "on",
    "the",
    "wave",
    "beach",
    "red",
    "blue",
    "in",
)
SPECIAL = ["<|startoftext|>", "<|endoftext|>"]
WIDTH = 16
UNET = {
    "sample_size": 8,
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": WIDTH,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
}
SD1 = {**UNET, "attention_head_dim": 2}
SD2 = {**UNET, "attention_head_dim": [2, 4], "use_linear_projection": True, "upcast_attention": True}
VAE = {
    "block_out_channels": (4, 4, 8, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "latent_channels": 4,
    "down_block_types": ("DownEncoderBlock2D",) * 4,
    "up_block_types": ("UpDecoderBlock2D",) * 4,
}
TEXT = {
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 77,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
SCHEDULER = {
    "_class_name": "PNDMScheduler",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
    "set_alpha_to_one": False,
    "skip_prk_steps": True,
    "steps_offset": 1,
    "trained_betas": None,
    "clip_sample": False,
}
LIBRARIES = {
    "vae": ["diffusers", "AutoencoderKL"],
    "text_encoder": ["transformers", "CLIPTextModel"],
    "tokenizer": ["transformers", "CLIPTokenizer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "scheduler": ["diffusers", "PNDMScheduler"],
}
# Old releases name the attention of the autoencoder in their own way.
OLD_ATTENTION = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}


def build_sd1(folder: Path, variant: str | None = None, dtype: torch.dtype = torch.float32, **unet) -> Path:
    """Stable Diffusion 1.x in miniature; `unet` overrides its configuration."""
    return _write(folder, _networks({**SD1, **unet}), {}, variant, dtype, pad=SPECIAL[1])


def build_sd2(folder: Path, prediction_type: str = "v_prediction") -> Path:
    """2.x in miniature: velocity, linear projections, a head count per level, padding by "!"."""
    return _write(folder, _networks(SD2, hidden_act="gelu"), {"prediction_type": prediction_type}, pad="!")


def build_sd1_true_size(folder: Path) -> Path:
    """Stable Diffusion 1.x itself with random weights, 2.1 GB in half precision; outputs stay finite."""
    configs = Path(str(files("giftune.backbone"))) / "configs" / "sd1"
    with torch.device("meta"):
        networks = {
            "unet": UNet2DConditionModel.from_config(json.loads((configs / "unet/config.json").read_text())),
            "vae": AutoencoderKL.from_config(json.loads((configs / "vae/config.json").read_text())),
            "text_encoder": CLIPTextModel(CLIPTextConfig.from_pretrained(configs / "text_encoder")),
        }
    folder = _write(folder, networks, {}, dtype=torch.float16, pad=SPECIAL[1])
    from giftune.backbone.tokenizer import clip_tokenizer

    clip_tokenizer(SPECIAL[1]).save_pretrained(folder / "tokenizer")
    return folder


def tiny_tokenizer(pad_token: str = SPECIAL[1]) -> CLIPTokenizer:
    """CLIP's own scheme with the merges of a few words; whatever else falls apart into bytes."""
    vocabulary, merges = _vocabulary()
    return CLIPTokenizer(vocabulary, merges, pad_token=pad_token, model_max_length=77)


def _vocabulary() -> tuple[dict[str, int], list[tuple[str, str]]]:
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS:
        built, *rest = [*word[:-1], word[-1] + "</w>"]
        for letter in rest:
            merges[built, letter] = None
            built += letter
    letters = list(bytes_to_unicode().values())
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges), *SPECIAL]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}, list(merges)


def _networks(unet: dict, hidden_act: str = "quick_gelu") -> dict[str, nn.Module]:
    torch.manual_seed(0)
    vocabulary = len(_vocabulary()[0])
    return {
        "unet": UNet2DConditionModel(**unet),
        "vae": AutoencoderKL(**VAE),
        "text_encoder": CLIPTextModel(CLIPTextConfig(**TEXT, vocab_size=vocabulary, hidden_act=hidden_act)),
    }


def _write(
    folder: Path,
    networks: dict[str, nn.Module],
    scheduler: dict,
    variant: str | None = None,
    dtype: torch.dtype = torch.float32,
    pad: str = SPECIAL[1],
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    middle = f".{variant}" if variant else ""
    for part, network in networks.items():
        network.config.save_pretrained(folder / part) if part == "text_encoder" else network.save_config(
            folder / part
        )
        stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
        tensors = {_released_name(part, key): _filled(key, value).to(dtype) for key, value in _state(network)}
        save_file(tensors, folder / part / f"{stem}{middle}.safetensors", {"format": "pt"})
    _write_tokenizer(folder / "tokenizer", pad)
    _write_json(folder / "scheduler/scheduler_config.json", {**SCHEDULER, **scheduler})
    extra = {"safety_checker": [None, None], "feature_extractor": [None, None]}
    _write_json(folder / "model_index.json", {"_class_name": "StableDiffusionPipeline", **LIBRARIES, **extra})
    return folder


def _state(network: nn.Module) -> list[tuple[str, torch.Tensor]]:
    return [(key, value) for key, value in network.state_dict().items() if "position_ids" not in key]


def _filled(key: str, value: torch.Tensor) -> torch.Tensor:
    """The value itself, or, where nothing was allocated, cheap random numbers of a sane size."""
    if not value.is_meta:
        return value.contiguous()
    if value.ndim < 2:
        return torch.full(value.shape, float(key.endswith("weight")))  # norms are the identity, biases zero
    block = torch.randn(min(value.numel(), 1 << 20), generator=torch.Generator().manual_seed(len(key)))
    repeats = -(-value.numel() // len(block))
    fan_in = value[0].numel()
    return (block.half() * 0.5 * fan_in**-0.5).repeat(repeats)[: value.numel()].view(value.shape)


def _released_name(part: str, key: str) -> str:
    if part == "text_encoder":
        return f"text_model.{key.removeprefix('text_model.')}"
    if part == "vae" and ".attentions." in key:
        for new, old in OLD_ATTENTION.items():
            key = key.replace(new, old)
    return key


def _write_tokenizer(folder: Path, pad: str) -> None:
    """1.x ships a vocabulary and merges; 2.x is written by today's transformers instead, as one file."""
    if pad != SPECIAL[1]:
        tiny_tokenizer(pad).save_pretrained(folder)
        return
    vocabulary, merges = _vocabulary()
    _write_json(folder / "vocab.json", vocabulary)
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *(" ".join(pair) for pair in merges), ""]))
    names = {
        "bos_token": SPECIAL[0],
        "eos_token": SPECIAL[1],
        "unk_token": SPECIAL[1],
        "pad_token": SPECIAL[1],
    }
    _write_json(folder / "special_tokens_map.json", names)
    settings = {"model_max_length": 77, "do_lower_case": True, "tokenizer_class": "CLIPTokenizer"}
    _write_json(folder / "tokenizer_config.json", {**names, **settings})


def _write_json(path: Path, content: dict) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2))
