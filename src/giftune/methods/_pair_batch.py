"""From clips to the pairs of frames that Pix2Gif learns from."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Generator, Tensor

from giftune.diffusion.condition_dropout import drop_conditions
from giftune.errors import InputError
from giftune.methods.base import Example
from giftune.methods.kept_magnitudes import KeptMagnitudes
from giftune.methods.motion_pairs import MotionPair, MotionRange, motion_pairs
from giftune.methods.number_words import in_words

PATIENCE = 200  # clips without a pair, one after the other, before training gives up
STILL = MotionPair(0, 0, 0)  # stands where a clip has no pair, and counts for nothing


class PairBatch(NamedTuple):
    """Source and target frames, what is said of them, and which of it is left out."""

    source: Float[Tensor, "b 3 h w"]
    target: Float[Tensor, "b 3 h w"]
    motion: Int[Tensor, "b"]
    captions: tuple[str, ...]
    without_image: Bool[Tensor, "b"]
    usable: Float[Tensor, "b"]  # 0 where a clip had no pair


def captioned(caption: str, sentence: str, motion: int) -> str:
    """The motion in words, said after the caption; raises `InputError` for what cannot be filled in."""
    try:
        return caption + sentence.format(number=in_words(motion))
    except (LookupError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"sentence is {sentence!r}, which may name {{number}} alone.") from error


class PairDrawer:
    """Draws `per_clip` pairs of every clip, each seen in a mirror half of the time where `flip` is set.

    Raises `InputError` for a clip without caption, clips of several sizes, and when `PATIENCE` clips in a row
    had no pair of frames in the range.
    """

    def __init__(
        self,
        allowed: MotionRange,
        per_clip: int,
        checked: bool,
        sentence: str,
        flip: bool,
        dropout: float,
    ) -> None:
        if per_clip < 1:
            raise InputError(f"pairs_per_clip is {per_clip}, it must be at least 1.")
        drop_conditions(0, torch.Generator(), dropout)
        self.allowed, self.per_clip, self.measure = allowed, per_clip, KeptMagnitudes(checked)
        self.sentence, self.flip, self.dropout = sentence, flip, dropout
        self._barren = 0

    def __call__(self, examples: Sequence[Example], generator: Generator) -> PairBatch:
        sizes = {(example.clip.height, example.clip.width) for example in examples}
        if len(sizes) > 1:
            raise InputError(f"clips are of {len(sizes)} sizes in one batch, they must be framed alike.")
        frames, captions, drawn = [], [], []
        for example in examples:
            if not example.caption.strip():
                raise InputError(f"clip {example.name or example.clip.name} has no caption to learn from.")
            for pair in self._pairs(example, generator):
                both = example.clip.frames[[pair.first, pair.second]]
                mirrored = self.flip and float(torch.rand((), generator=generator)) < 0.5
                frames.append(both.flip(-1) if mirrored else both)
                captions.append(captioned(example.caption.strip(), self.sentence, pair.motion))
                drawn.append(pair)
        source, target = torch.stack(frames, dim=1)
        without_text, without_image = drop_conditions(len(drawn), generator, self.dropout)
        said = tuple("" if out else text for out, text in zip(without_text.tolist(), captions, strict=True))
        motion = torch.tensor([pair.motion for pair in drawn])
        usable = torch.tensor([float(pair is not STILL) for pair in drawn])
        return PairBatch(source, target, motion, said, without_image, usable)

    def _pairs(self, example: Example, generator: Generator) -> list[MotionPair]:
        """As many as there shall be of each clip: fewer are repeated, and none is one that does not count."""
        frames = example.clip.frames
        found = motion_pairs(frames, self.allowed, self.per_clip, generator, self.measure)
        self._barren = 0 if found else self._barren + 1
        if self._barren >= PATIENCE:
            raise InputError(
                f"the last {PATIENCE} clips have no two frames with a motion of {self.allowed}: "
                "another method.motion_range, or clips that move, are needed."
            )
        return [found[index % len(found)] if found else STILL for index in range(self.per_clip)]
