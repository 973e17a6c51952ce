"""The transformer block of the image U-Net with layers over frames at its end."""

from typing import Any

from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor

from giftune.errors import InputError
from giftune.unet.frame_words import ClipWords
from giftune.unet.motion_transformer import MotionTransformer
from giftune.unet.temporal import TemporalAttention


class SpatioTemporalBlock(BasicTransformerBlock):
    """Self-attention, cross-attention, feed-forward, then attention over frames, in Tune-A-Video's order.

    A motion transformer may follow. Never constructed: `inflate` attaches `temporal` and `motion` to a block,
    either of which may be None, and gives it this class, so no key moves.
    """

    temporal: TemporalAttention | None
    motion: MotionTransformer | None

    # The order of arguments is diffusers': under gradient checkpointing they arrive by position.
    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        encoder_hidden_states: Tensor | None = None,
        encoder_attention_mask: Tensor | None = None,
        timestep: Tensor | None = None,
        cross_attention_kwargs: dict[str, Any] | None = None,
        class_labels: Tensor | None = None,
        added_cond_kwargs: dict[str, Tensor] | None = None,
    ) -> Tensor:
        if not cross_attention_kwargs or "num_frames" not in cross_attention_kwargs:
            raise InputError("num_frames is missing: call an inflated U-Net through giftune's VideoUNet")
        known = dict(cross_attention_kwargs)
        clip: ClipWords | None = known.pop("clip", None)
        hidden_states = super().forward(
            hidden_states,
            attention_mask,
            encoder_hidden_states,
            encoder_attention_mask,
            timestep,
            known,
            class_labels,
            added_cond_kwargs,
        )
        if self.temporal is not None:
            hidden_states = self.temporal(hidden_states, known["num_frames"])
        if self.motion is not None:
            if clip is None:
                raise InputError("clip is missing: call an inflated U-Net through giftune's VideoUNet")
            hidden_states = self.motion(hidden_states, clip)
        return hidden_states
