"""Attribute accuracy: is what was asked for there, in each frame? EmojiWorld only."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError
from giftune.metrics._oracle import Judge
from giftune.metrics._require import require_frames
from giftune.metrics.clip_mean import ClipMean

ATTRIBUTES = ("subject", "background", "style")


def share_of(names: Sequence[str], asked: str) -> Float[Tensor, ""]:
    return torch.tensor([name == asked for name in names]).float().mean()


class AttributeAccuracy(ClipMean):
    """Share of frames in which the oracle names what was asked; `asked` maps attributes to names."""

    higher_is_better = True
    unit = "share of frames"
    backbone = "EmojiWorld oracle"

    def __init__(self, oracle: Judge, attribute: str) -> None:
        super().__init__()
        if attribute not in ATTRIBUTES:
            raise InputError(f"attribute is {attribute!r}, it must be one of {', '.join(ATTRIBUTES)}.")
        self.oracle, self.attribute = oracle, attribute

    def update(self, edited: Float[Tensor, "..."], asked: Mapping[str, str]) -> None:
        require_frames("edited", edited)
        if self.attribute not in asked:
            raise InputError(
                f"asked names {', '.join(asked) or 'nothing'}, it must name {', '.join(ATTRIBUTES)}."
            )
        names = getattr(self.oracle.judge(edited), self.attribute)
        self.record(share_of(names, asked[self.attribute]))
