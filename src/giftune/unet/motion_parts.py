"""What can be added to a video network so that it learns how pictures move, each part by itself."""

from dataclasses import dataclass
from typing import Literal, cast, get_args

import torch
from diffusers import UNet2DConditionModel

from giftune.attention.frame_tokens import Join
from giftune.attention.patterns import Pattern
from giftune.errors import InputError
from giftune.unet.frame_tokens import FrameTokens
from giftune.unet.inflate import inflate
from giftune.unet.mapping import MappingNetwork, Where
from giftune.unet.video_unet import VideoUNet


@dataclass(frozen=True)
class MotionParts:
    """The parts of HARIVO and Make-A-Video, all of which change nothing before they have learnt.

    `frame_code` tells attention over frames their positions; `temporal_conv` follows each convolution of a
    ResNet; `mapping` is in front of the network, at every step or where a sampler starts; `tokens` are
    `num_tokens` of text for each frame, and how they join the prompt; `transformer` is one over the whole
    clip that reads the prompt's words, behind attention over frames. Raises `InputError` for other names.
    """

    frame_code: bool = False
    temporal_conv: bool = False
    mapping: str = "none"
    tokens: str = "none"
    num_tokens: int = 4
    transformer: bool = False

    def __post_init__(self) -> None:
        for name, value, known in (("mapping", self.mapping, Where), ("tokens", self.tokens, Join)):
            if value not in ("none", *get_args(known)):
                allowed = ", ".join(("none", *get_args(known)))
                raise InputError(f"parts.{name} is {value!r}, it must be one of {allowed}.")

    @property
    def suffixes(self) -> list[str]:
        """What ends so is new, besides the attention over frames that a video network has anyway."""
        return [
            *(["conv1.temporal", "conv2.temporal"] if self.temporal_conv else []),
            *(["motion", "words"] if self.transformer else []),
            *(["mapping"] if self.mapping != "none" else []),
            *(["tokens", "attn2.processor"] if self.tokens != "none" else []),
        ]


def inflate_with(
    unet: UNet2DConditionModel,
    parts: MotionParts,
    pattern: Pattern,
    seed: int,
    temporal: bool = True,
    norm: Literal["per_frame", "pooled"] = "per_frame",
) -> VideoUNet:
    """`inflate` with `parts`, in place; mapping and tokens are float32, as they learn beside it.

    New layers draw their weights from `seed`; attention over frames draws the same ones whatever is added.
    """
    channels, width = unet.config.in_channels, unet.config.cross_attention_dim
    at, join = cast(Where, parts.mapping), cast(Join, parts.tokens)
    with torch.random.fork_rng(devices=[]):  # layers draw from the global generator
        torch.manual_seed(seed)
        mapping = None if parts.mapping == "none" else MappingNetwork(channels, apply_to=at)
        tokens = None if parts.tokens == "none" else FrameTokens(width, parts.num_tokens, join)
        torch.manual_seed(seed)
        network = inflate(
            unet,
            pattern,
            temporal,
            norm,
            parts.frame_code,
            parts.temporal_conv,
            mapping,
            tokens,
            parts.transformer,
        )
    for part in (mapping, tokens, network.words):
        if part is not None:
            part.float()
    return network
