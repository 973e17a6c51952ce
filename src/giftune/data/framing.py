"""From a clip of any size to what the model takes, and back."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor

from giftune.clip import Clip
from giftune.errors import InputError

Fit = Literal["crop", "pad", "stretch"]


@dataclass(frozen=True)
class Framing:
    """The model's frame, and how the source is fitted into it."""

    source_height: int
    source_width: int
    height: int
    width: int
    fit: Fit

    @classmethod
    def around(cls, clip: Clip, size: int | None, multiple: int, fit: Fit, square: bool = False) -> "Framing":
        """A frame of about size x size pixels, sides multiples of `multiple`.

        It has the aspect ratio of `clip` unless it shall be square. With `size` None it is about as large as
        `clip`. Raises `InputError` when `size` is no multiple.
        """
        if size is not None and (size < multiple or size % multiple):
            raise InputError(f"data.size is {size}, it must be a multiple of {multiple} for this backbone.")
        aspect = math.sqrt(clip.height / clip.width)
        sides = (clip.height, clip.width) if size is None else (size * aspect, size / aspect)
        if square:
            sides = (math.sqrt(sides[0] * sides[1]),) * 2
        height, width = (max(1, round(side / multiple)) * multiple for side in sides)
        return cls(clip.height, clip.width, height, width, fit)

    def apply(self, clip: Clip) -> Clip:
        return clip.fit(self.height, self.width, self.fit)

    def apply_mask(self, mask: Float[Tensor, "f a b"]) -> Float[Tensor, "f h w"]:
        """The same for coverage in [0, 1]; bars are background."""
        frames = repeat(2 * mask - 1, "f h w -> f c h w", c=3).contiguous()
        framed = (self.apply(Clip(frames, (1,) * len(mask))).frames[:, 0] + 1) / 2
        rows, columns = self._inner()
        inside = torch.zeros(self.height, self.width)
        inside[rows, columns] = 1
        return framed * inside

    def restore(self, clip: Clip) -> Clip:
        """Undo `apply`: bars go, and the picture gets back the scale of the source.

        Everything but what "crop" has cut off returns, so the size is the source's, or that of the part kept.
        """
        ratios = self.height / self.source_height, self.width / self.source_width
        if self.fit == "crop":
            height, width = round(self.height / max(ratios)), round(self.width / max(ratios))
            return clip.fit(min(height, self.source_height), min(width, self.source_width), "stretch")
        if self.fit == "pad":
            clip = clip.with_frames(clip.frames[(..., *self._inner())].contiguous())
        return clip.fit(self.source_height, self.source_width, "stretch")

    def _inner(self) -> tuple[slice, slice]:
        """Rows and columns that show the source, which is all but the bars."""
        if self.fit != "pad":
            return slice(self.height), slice(self.width)
        scale = min(self.height / self.source_height, self.width / self.source_width)
        height, width = (max(1, round(side * scale)) for side in (self.source_height, self.source_width))
        top, left = (self.height - height) // 2, (self.width - width) // 2
        return slice(top, top + height), slice(left, left + width)
