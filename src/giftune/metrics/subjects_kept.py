"""Subjects kept: of several subjects that pass behind each other, how many does each frame still show?

The definition is ours; it puts a number on what Tune-A-Video names as a limitation, that with several objects
and occlusion they merge. EmojiWorld only.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from giftune.errors import InputError
from giftune.metrics._require import require_frames, require_truth
from giftune.metrics.clip_mean import ClipMean


@runtime_checkable
class Finder(Protocol):
    """A detector: for each frame one entry for each subject that it finds."""

    def detect(self, frames: Float[Tensor, "f 3 h w"]) -> Sequence[Sequence[object]]: ...


def subjects_kept(found: Int[Tensor, " f"], counts: Int[Tensor, " f"]) -> Float[Tensor, ""]:
    """Mean over the frames that truly show a subject of min(1, subjects found / subjects shown).

    One too many in one frame does not make up for one too few in another, and costs nothing.
    """
    shown = counts > 0
    return (found[shown] / counts[shown]).clamp(max=1).mean()


class SubjectsKept(ClipMean):
    """Subjects found in the edit, of whatever kind (an edit may ask for another one), against `counts`."""

    higher_is_better = True
    unit = "share"
    backbone = "EmojiWorld detector"
    rare = True

    def __init__(self, detector: Finder) -> None:
        super().__init__()
        self.detector = detector

    def update(self, edited: Float[Tensor, "..."], counts: Int[Tensor, "..."]) -> None:
        require_frames("edited", edited)
        require_truth("counts", counts, (len(edited),))
        if not (counts > 0).any():
            raise InputError(
                "counts is 0 in every frame, at least one frame of the source must show a subject."
            )
        found = torch.tensor([len(each) for each in self.detector.detect(edited)])
        self.record(subjects_kept(found, counts.cpu()))
