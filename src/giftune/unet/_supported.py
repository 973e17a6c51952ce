"""What a U-Net must look like to be inflated."""

from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import nn

from giftune.errors import InputError
from giftune.unet.block import SpatioTemporalBlock

# What Stable Diffusion 1.x and 2.x set; the processor and the block rely on it.
CONFIG = {
    "addition_embed_type": None,
    "class_embed_type": None,
    "dual_cross_attention": False,
    "encoder_hid_dim_type": None,
    "num_class_embeds": None,
}
BLOCK = {"norm_type": "layer_norm", "only_cross_attention": False, "double_self_attention": False}
ATTENTION = {
    "added_kv_proj_dim": None,
    "group_norm": None,
    "norm_cross": None,
    "norm_k": None,
    "norm_q": None,
    "rescale_output_factor": 1.0,
    "residual_connection": False,
    "spatial_norm": None,
}


def require_supported(unet: UNet2DConditionModel) -> None:
    """Raise `InputError`, naming the first setting that `inflate` cannot honour."""
    _require("unet.config", unet.config, CONFIG)
    blocks = {name: m for name, m in unet.named_modules() if isinstance(m, BasicTransformerBlock)}
    if not blocks:
        raise InputError("unet has no transformer block, so there is nothing to inflate")
    for name, block in blocks.items():
        if isinstance(block, SpatioTemporalBlock):
            raise InputError("unet is inflated already: load a fresh one")
        _require(name, block, BLOCK)
        if hasattr(block, "fuser"):
            raise InputError(f"{name} has a gated attention (GLIGEN), which cannot be inflated")
    for name, module in unet.named_modules():
        if isinstance(module, Attention):
            _require(name, module, ATTENTION)
        if hasattr(module, "base_layer"):
            raise InputError(f"{name} carries a LoRA adapter: fuse and unload it before inflating")


def _require(name: str, owner: nn.Module | Any, allowed: dict[str, Any]) -> None:
    for setting, value in allowed.items():
        found = getattr(owner, setting)
        if found != value:
            raise InputError(f"{name} has {setting} {found!r}, but only {value!r} can be inflated")
