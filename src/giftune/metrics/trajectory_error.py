"""Trajectory error: does the subject of the edit go where that of the source went? EmojiWorld only."""

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.metrics._oracle import Judge
from giftune.metrics._require import require_frames, require_truth
from giftune.metrics.clip_mean import ClipMean


def trajectory_error(found: Float[Tensor, "f 2"], centres: Float[Tensor, "f 2"]) -> Float[Tensor, ""]:
    """Mean distance of the centres, in pixels."""
    return (found - centres).norm(dim=1).mean()


class TrajectoryError(ClipMean):
    """The oracle's (x, y) in the edit against the true ones of the source, `centres`, in pixels."""

    higher_is_better = False
    unit = "px"
    backbone = "EmojiWorld oracle"

    def __init__(self, oracle: Judge) -> None:
        super().__init__()
        self.oracle = oracle

    def update(self, edited: Float[Tensor, "..."], centres: Float[Tensor, "..."]) -> None:
        require_frames("edited", edited)
        require_truth("centres", centres, (len(edited), 2))
        size = torch.tensor([edited.shape[3], edited.shape[2]])
        self.record(trajectory_error(self.oracle.judge(edited).centres.cpu() * size, centres))
