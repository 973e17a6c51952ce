"""The image U-Net seen as a video network: frames are folded into its batch."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from einops import rearrange, repeat
from jaxtyping import Float, Int
from torch import Tensor, nn

from giftune.unet.frame_tokens import FrameTokens
from giftune.unet.frame_words import ClipWords, FrameWords
from giftune.unet.lora import low_rank
from giftune.unet.mapping import MappingNetwork
from giftune.unet.motion_transformer import MotionTransformer
from giftune.unet.norm import PooledGroupNorm
from giftune.unet.temporal import TemporalAttention
from giftune.unet.temporal_conv import PseudoConv3d


class VideoUNet(nn.Module):
    """Wraps an inflated `UNet2DConditionModel`, which stays reachable, with its own keys, as `unet`.

    `mapping` and `tokens` are what `inflate` was given, `words` what it made for its motion transformers:
    with them texts are twice as wide, `giftune.backbone.text.embed_words` behind the encoded prompt.
    """

    def __init__(
        self,
        unet: UNet2DConditionModel,
        mapping: MappingNetwork | None = None,
        tokens: FrameTokens | None = None,
        words: FrameWords | None = None,
    ) -> None:
        super().__init__()
        self.unet, self.mapping, self.tokens, self.words = unet, mapping, tokens, words
        self._pooled_norms = [module for module in unet.modules() if isinstance(module, PooledGroupNorm)]
        self._temporal_convs = [module for module in unet.modules() if isinstance(module, PseudoConv3d)]

    def forward(
        self,
        latents: Float[Tensor, "b c f h w"],
        t: Int[Tensor, "b"] | Int[Tensor, ""] | int,
        text: Float[Tensor, "b n d"],
        down_residuals: Sequence[Float[Tensor, "bf _ _ _"]] | None = None,
        mid_residual: Float[Tensor, "bf _ _ _"] | None = None,
    ) -> Float[Tensor, "b c f h w"]:
        """The network's prediction for each frame.

        Residuals come folded as well: those of a ControlNet with `mid_residual`, of a T2I-Adapter without.
        """
        num_clips, _, num_frames, height, width = latents.shape
        for norm in self._pooled_norms:
            norm.num_frames = num_frames
        for conv in self._temporal_convs:
            conv.num_frames = num_frames
        known: dict[str, Any] = {"num_frames": num_frames}
        if self.words is not None:
            text, words = text.chunk(2, dim=-1)
            known["clip"] = ClipWords(self.words(words, num_frames), height, width)
        if self.mapping is not None and self.mapping.apply_to == "every_step":
            latents = self.mapping(latents)
        if self.tokens is not None:
            own = rearrange(self.tokens(text, num_frames), "b f m d -> b (f m) d")
            text = torch.cat([text, own.to(text.dtype)], dim=1)
        timesteps = torch.as_tensor(t, device=latents.device).expand(num_clips)
        output = self.unet(
            rearrange(latents, "b c f h w -> (b f) c h w"),
            repeat(timesteps, "b -> (b f)", f=num_frames),
            encoder_hidden_states=text,
            cross_attention_kwargs=known,
            **_control(down_residuals, mid_residual),
            return_dict=False,
        )[0]
        return rearrange(output, "(b f) c h w -> b c f h w", f=num_frames)

    @property
    def architecture(self) -> dict[str, str | bool]:
        """What `inflate` made of the image model, as metadata for tuned weights."""
        pattern = next(iter(self.unet.attn_processors.values())).pattern
        temporal = [module for module in self.unet.modules() if isinstance(module, TemporalAttention)]
        motion = [module for module in self.unet.modules() if isinstance(module, MotionTransformer)]
        return {
            "pattern": getattr(pattern, "__name__", repr(pattern)),
            "temporal": "frame code" if temporal and temporal[0].frame_code else bool(temporal),
            "norm": "pooled" if self._pooled_norms else "per_frame",
            **low_rank(self.unet),
            **({"temporal_conv": True} if self._temporal_convs else {}),
            **({"transformer": motion[0].architecture} if motion else {}),
            **({"mapping": self.mapping.architecture} if self.mapping is not None else {}),
            **({"tokens": self.tokens.architecture} if self.tokens is not None else {}),
        }

    @property
    def stored(self) -> nn.Module:
        """All parts under their keys in files of tuned weights: those of the U-Net are diffusers' own."""
        beside = {"mapping": self.mapping, "tokens": self.tokens, "words": self.words}
        found = {name: part for name, part in beside.items() if part is not None}
        return nn.ModuleDict({**dict(self.unet.named_children()), **found})

    def enable_gradient_checkpointing(self) -> None:
        """Trade time for memory; diffusers' checkpoints are non-reentrant, so no gradient is lost."""
        self.unet.enable_gradient_checkpointing()


def _control(down: Sequence[Tensor] | None, mid: Tensor | None) -> dict[str, Any]:
    if down is None:
        return {}
    if mid is None:
        return {"down_intrablock_additional_residuals": list(down)}  # diffusers empties the list it is given
    return {"down_block_additional_residuals": tuple(down), "mid_block_additional_residual": mid}
