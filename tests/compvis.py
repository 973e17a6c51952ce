"""The tensor names of the original Stable Diffusion code, for writing single files as they are released."""

import re
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

UNET, VAE, TEXT = "model.diffusion_model.", "first_stage_model.", "cond_stage_model."
RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1",
    "conv_shortcut": "skip_connection",
}
ENDS = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
}
CLIP = {
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "self_attn.out_proj": "attn.out_proj",
}


def write_single_file(folder: Path, path: Path, num_text_layers: int = 23) -> Path:
    """Pour a diffusers folder into one file; 2.x ignores OpenCLIP's last layer, number `num_text_layers`."""
    unet = load_file(folder / "unet/diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae/diffusion_pytorch_model.safetensors")
    text = load_file(folder / "text_encoder/model.safetensors")
    linear = unet["mid_block.attentions.0.proj_in.weight"].ndim == 2
    num_levels = len({key.split(".")[2] for key in vae if key.startswith("decoder.up_blocks.")})
    tensors = {UNET + _unet_name(key, unet): value for key, value in unet.items()}
    for key, value in vae.items():
        name = _vae_name(key, num_levels)
        tensors[VAE + name] = value[..., None, None] if ".attn_1." in name and value.ndim == 2 else value
    tensors |= _open_clip(text, num_text_layers) if linear else _clip(text)
    tensors["alphas_cumprod"] = torch.linspace(1, 0, 1000)
    tensors["model_ema.num_updates"] = torch.tensor(1)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path, {"format": "pt"})
    return path


def _unet_name(key: str, keys: dict) -> str:
    for ours, theirs in ENDS.items():
        if key.startswith(ours + "."):
            return key.replace(ours, theirs, 1)
    side, *rest = re.match(r"(down|mid|up)_block", key).group(1), *key.split(".")
    if side == "mid":
        index = {"resnets.0": 0, "attentions.0": 1, "resnets.1": 2}[".".join(rest[1:3])]
        return f"middle_block.{index}.{_inner('.'.join(rest[3:]))}"
    level, kind, number, inner = int(rest[1]), rest[2], int(rest[3]), ".".join(rest[4:])
    layers = len({k.split(".")[3] for k in keys if k.startswith(f"{side}_blocks.{level}.resnets.")})
    attends = any(k.startswith(f"{side}_blocks.{level}.attentions.") for k in keys)
    if side == "down":
        per_level = layers + 1
        if kind == "downsamplers":
            return f"input_blocks.{per_level * (level + 1)}.0.{inner.replace('conv', 'op')}"
        return f"input_blocks.{per_level * level + number + 1}.{int(kind == 'attentions')}.{_inner(inner)}"
    if kind == "upsamplers":
        return f"output_blocks.{layers * (level + 1) - 1}.{1 + attends}.{inner}"
    return f"output_blocks.{layers * level + number}.{int(kind == 'attentions')}.{_inner(inner)}"


def _inner(name: str) -> str:
    first, _, rest = name.partition(".")
    return f"{RESNET.get(first, first)}.{rest}"


def _vae_name(key: str, num_levels: int) -> str:
    def mirrored(match: re.Match) -> str:
        return f"up.{num_levels - 1 - int(match.group(1))}."

    name = re.sub(r"up_blocks\.(\d+)\.", mirrored, key)
    name = re.sub(r"down_blocks\.(\d+)\.", r"down.\1.", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda match: f"mid.block_{int(match.group(1)) + 1}", name)
    name = name.replace("mid_block.attentions.0", "mid.attn_1").replace("conv_norm_out", "norm_out")
    name = re.sub(r"resnets\.", "block.", name).replace("conv_shortcut", "nin_shortcut")
    name = re.sub(r"(down|up)samplers\.0", r"\1sample", name)
    short = {"group_norm": "norm", "query": "q", "key": "k", "value": "v", "proj_attn": "proj_out"}
    short |= {"to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
    if "attn_1" in name:
        for ours, theirs in short.items():
            name = name.replace(f".{ours}.", f".{theirs}.")
    return name


def _clip(text: dict) -> dict:
    tensors = {f"{TEXT}transformer.{key}": value for key, value in text.items()}
    positions = len(text["text_model.embeddings.position_embedding.weight"])
    tensors[f"{TEXT}transformer.text_model.embeddings.position_ids"] = torch.arange(positions)[None]
    return tensors


def _open_clip(text: dict, num_text_layers: int) -> dict:
    """OpenCLIP keeps queries, keys and values in one matrix, and has one layer more than 2.x uses."""
    prefix, tensors = f"{TEXT}model.", {}
    for key, value in text.items():
        name = key.removeprefix("text_model.")
        if name.startswith("encoder.layers."):
            number, inner = name.removeprefix("encoder.layers.").split(".", 1)
            if match := re.fullmatch(r"self_attn\.q_proj\.(weight|bias)", inner):
                parts = [text[key.replace("q_proj", f"{letter}_proj")] for letter in "qkv"]
                tensors[f"{prefix}transformer.resblocks.{number}.attn.in_proj_{match[1]}"] = torch.cat(parts)
            elif not re.match(r"self_attn\.[kv]_proj", inner):
                module, _, leaf = inner.rpartition(".")
                tensors[f"{prefix}transformer.resblocks.{number}.{CLIP[module]}.{leaf}"] = value
    width = text["text_model.final_layer_norm.weight"].shape[0]
    tensors[f"{prefix}positional_embedding"] = text["text_model.embeddings.position_embedding.weight"]
    tensors[f"{prefix}token_embedding.weight"] = text["text_model.embeddings.token_embedding.weight"]
    tensors[f"{prefix}ln_final.weight"] = text["text_model.final_layer_norm.weight"]
    tensors[f"{prefix}ln_final.bias"] = text["text_model.final_layer_norm.bias"]
    tensors[f"{prefix}text_projection"] = torch.eye(width)
    tensors[f"{prefix}logit_scale"] = torch.tensor(4.6)
    first = f"{prefix}transformer.resblocks.0."
    last = f"{prefix}transformer.resblocks.{num_text_layers}."
    return tensors | {key.replace(first, last): -value for key, value in tensors.items() if first in key}
