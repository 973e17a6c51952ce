"""From a clip of any size to what the model takes, and back."""

import math
from dataclasses import dataclass
from typing import Literal

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
    def around(cls, clip: Clip, size: int | None, multiple: int, fit: Fit) -> "Framing":
        """A frame of about size x size pixels with the aspect ratio of `clip`, sides multiples of `multiple`.

        With `size` None it is about as large as `clip`. Raises `InputError` when `size` is no multiple.
        """
        if size is not None and (size < multiple or size % multiple):
            raise InputError(f"data.size is {size}, it must be a multiple of {multiple} for this backbone.")
        aspect = math.sqrt(clip.height / clip.width)
        sides = (clip.height, clip.width) if size is None else (size * aspect, size / aspect)
        height, width = (max(1, round(side / multiple)) * multiple for side in sides)
        return cls(clip.height, clip.width, height, width, fit)

    def apply(self, clip: Clip) -> Clip:
        return clip.fit(self.height, self.width, self.fit)

    def restore(self, clip: Clip) -> Clip:
        """Undo `apply`: bars go, and the picture gets back the scale of the source.

        Everything but what "crop" has cut off returns, so the size is the source's, or that of the part kept.
        """
        ratios = self.height / self.source_height, self.width / self.source_width
        if self.fit == "crop":
            height, width = round(self.height / max(ratios)), round(self.width / max(ratios))
            return clip.fit(min(height, self.source_height), min(width, self.source_width), "stretch")
        if self.fit == "pad":
            inner_height, inner_width = (
                max(1, round(side * min(ratios))) for side in (self.source_height, self.source_width)
            )
            top, left = (self.height - inner_height) // 2, (self.width - inner_width) // 2
            part = clip.frames[..., top : top + inner_height, left : left + inner_width]
            clip = clip.with_frames(part.contiguous())
        return clip.fit(self.source_height, self.source_width, "stretch")
