"""Turns a text-to-image U-Net into a text-to-video one (Tune-A-Video, Wu et al. 2023, section 4.1)."""

from typing import Literal

from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.resnet import ResnetBlock2D
from diffusers.models.transformers.transformer_2d import Transformer2DModel
from torch import nn

from giftune.attention.frame_tokens import FrameTokenAttnProcessor
from giftune.attention.patterns import Pattern, sparse_causal
from giftune.attention.processor import CrossFrameAttnProcessor
from giftune.errors import InputError
from giftune.unet._supported import require_supported
from giftune.unet.block import SpatioTemporalBlock
from giftune.unet.frame_tokens import FrameTokens
from giftune.unet.frame_words import FrameWords
from giftune.unet.mapping import MappingNetwork
from giftune.unet.motion_transformer import MotionTransformer
from giftune.unet.norm import PooledGroupNorm
from giftune.unet.temporal import TemporalAttention
from giftune.unet.temporal_conv import add_temporal_conv
from giftune.unet.video_unet import VideoUNet


def inflate(
    unet: UNet2DConditionModel,
    pattern: Pattern = sparse_causal,
    temporal: bool = True,
    norm: Literal["per_frame", "pooled"] = "per_frame",
    frame_code: bool = False,
    temporal_conv: bool = False,
    mapping: MappingNetwork | None = None,
    tokens: FrameTokens | None = None,
    transformer: bool = False,
) -> VideoUNet:
    """Give `unet` attention across frames; every key and, for a still, every output of the image model stays.

    With `temporal` each transformer block ends in attention over frames, which know their positions with
    `frame_code`; with `norm` "pooled" the group norms outside the transformers share their statistics over
    frames, as in Tune-A-Video. With `temporal_conv` each convolution of a ResNet is followed by one in time,
    as in Make-A-Video. `mapping` goes in front of the network, `tokens` into its cross-attention. With
    `transformer` each transformer block ends in one over the clip that reads its words. Each of these changes
    nothing at first. Raises `InputError` for a network built otherwise than those of Stable
    Diffusion 1.x and 2.x.
    """
    if norm not in ("per_frame", "pooled"):
        raise InputError(f"norm is {norm!r}, it must be 'per_frame' or 'pooled'")
    require_supported(unet)
    unet.set_attn_processor(CrossFrameAttnProcessor(pattern))
    words = _add_over_frames(unet, temporal, frame_code, transformer) if temporal or transformer else None
    if temporal_conv:
        for resnet in [module for module in unet.modules() if isinstance(module, ResnetBlock2D)]:
            add_temporal_conv(resnet.conv1)
            add_temporal_conv(resnet.conv2)
    if mapping is not None:
        mapping.to(unet.device, unet.dtype)
    if tokens is not None:
        _let_see(unet, tokens.to(unet.device, unet.dtype), pattern)
    if norm == "pooled":
        for group_norm in _norms_outside_transformers(unet):
            group_norm.__class__ = PooledGroupNorm
    return VideoUNet(unet, mapping, tokens, words)


def verify(unet: VideoUNet | UNet2DConditionModel) -> None:
    """Raise `RuntimeError` if attention across frames, or to their tokens, has been replaced since `inflate`.

    Attention slicing, fused projections, xformers and IP-Adapter all exchange processors without a word, and
    the result would be a flickering clip instead of an error.
    """
    plain = unet.unet if isinstance(unet, VideoUNet) else unet
    with_tokens = isinstance(unet, VideoUNet) and unet.tokens is not None
    for name, processor in plain.attn_processors.items():
        wanted = FrameTokenAttnProcessor if with_tokens and "attn2" in name else CrossFrameAttnProcessor
        if not isinstance(processor, wanted):
            raise RuntimeError(
                f"{name} is a {type(processor).__name__}, which attends within single frames: undo the call "
                "that installed it (attention slicing, fused projections, xformers, IP-Adapter)"
            )


def _blocks(unet: UNet2DConditionModel) -> list[BasicTransformerBlock]:
    return [module for module in unet.modules() if isinstance(module, BasicTransformerBlock)]


def _add_over_frames(
    unet: UNet2DConditionModel, temporal: bool, frame_code: bool, transformer: bool
) -> FrameWords | None:
    """All attention first, so that it draws the same weights whatever follows it; returns what all share."""
    blocks = _blocks(unet)
    for block in blocks:
        heads, width = block.num_attention_heads, block.attention_head_dim
        block.temporal = TemporalAttention(block.dim, heads, width, frame_code) if temporal else None
    words = FrameWords(unet.config.cross_attention_dim) if transformer else None
    for block in blocks:
        heads = block.num_attention_heads
        block.motion = None if words is None else MotionTransformer(block.dim, heads, words.rank)
        for layer in (block.temporal, block.motion):
            if layer is not None:
                layer.to(unet.device, unet.dtype)
        block.__class__ = SpatioTemporalBlock
    return None if words is None else words.to(unet.device, unet.dtype)


def _let_see(unet: UNet2DConditionModel, tokens: FrameTokens, pattern: Pattern) -> None:
    width, needed = tokens.queries.shape[-1], unet.config.cross_attention_dim
    if width != needed:
        raise InputError(f"tokens are {width} wide, but the text of this U-Net is {needed} wide")
    for block in _blocks(unet):
        processor = FrameTokenAttnProcessor(pattern, tokens.num_tokens, tokens.join)
        block.attn2.set_processor(processor.to(unet.device, unet.dtype))


def _norms_outside_transformers(unet: UNet2DConditionModel) -> list[nn.GroupNorm]:
    transformers = [module for module in unet.modules() if isinstance(module, Transformer2DModel)]
    inside = {id(module) for transformer in transformers for module in transformer.modules()}
    return [m for m in unet.modules() if isinstance(m, nn.GroupNorm) and id(m) not in inside]
