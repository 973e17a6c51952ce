"""Turns a text-to-image U-Net into a text-to-video one (Tune-A-Video, Wu et al. 2023, section 4.1)."""

from typing import Literal

from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn

from giftune.attention.patterns import Pattern, sparse_causal
from giftune.attention.processor import CrossFrameAttnProcessor
from giftune.errors import InputError
from giftune.unet._supported import require_supported
from giftune.unet.block import SpatioTemporalBlock
from giftune.unet.norm import PooledGroupNorm
from giftune.unet.temporal import TemporalAttention
from giftune.unet.video_unet import VideoUNet


def inflate(
    unet: UNet2DConditionModel,
    pattern: Pattern = sparse_causal,
    temporal: bool = True,
    norm: Literal["per_frame", "pooled"] = "per_frame",
) -> VideoUNet:
    """Give `unet` attention across frames; every key and, for a still, every output of the image model stays.

    With `temporal` each transformer block ends in attention over frames; with `norm` "pooled" the group norms
    outside the transformers share their statistics over frames, as in Tune-A-Video. Raises `InputError` for a
    network built otherwise than those of Stable Diffusion 1.x and 2.x.
    """
    if norm not in ("per_frame", "pooled"):
        raise InputError(f"norm is {norm!r}, it must be 'per_frame' or 'pooled'")
    require_supported(unet)
    unet.set_attn_processor(CrossFrameAttnProcessor(pattern))
    if temporal:
        for block in _blocks(unet):
            _add_temporal(block)
    if norm == "pooled":
        for group_norm in _norms_outside_transformers(unet):
            group_norm.__class__ = PooledGroupNorm
    return VideoUNet(unet)


def verify(unet: VideoUNet | UNet2DConditionModel) -> None:
    """Raise `RuntimeError` if attention across frames has been replaced since `inflate`.

    Attention slicing, fused projections, xformers and IP-Adapter all exchange processors without a word, and
    the result would be a flickering clip instead of an error.
    """
    plain = unet.unet if isinstance(unet, VideoUNet) else unet
    for name, processor in plain.attn_processors.items():
        if not isinstance(processor, CrossFrameAttnProcessor):
            raise RuntimeError(
                f"{name} is a {type(processor).__name__}, which attends within single frames: undo the call "
                "that installed it (attention slicing, fused projections, xformers, IP-Adapter)"
            )


def _blocks(unet: UNet2DConditionModel) -> list[BasicTransformerBlock]:
    return [module for module in unet.modules() if isinstance(module, BasicTransformerBlock)]


def _add_temporal(block: BasicTransformerBlock) -> None:
    temporal = TemporalAttention(block.dim, block.num_attention_heads, block.attention_head_dim)
    like = block.attn1.to_q.weight
    block.temporal = temporal.to(like.device, like.dtype)
    block.__class__ = SpatioTemporalBlock


def _norms_outside_transformers(unet: UNet2DConditionModel) -> list[nn.GroupNorm]:
    transformers = [module for module in unet.modules() if isinstance(module, Transformer2DModel)]
    inside = {id(module) for transformer in transformers for module in transformer.modules()}
    return [m for m in unet.modules() if isinstance(m, nn.GroupNorm) and id(m) not in inside]
