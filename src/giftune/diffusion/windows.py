"""Windows in time: a long clip is denoised in overlapping parts whose predictions are averaged.

The weighted mean at every step is that of MultiDiffusion (Bar-Tal et al. 2023, eq. 5), taken along time as in
Gen-L-Video (Wang et al. 2023). The weights, and that frame 0 is part of every window, are ours.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.errors import InputError


class Window(NamedTuple):
    """What the network sees at once, in order, and whether its first frame is only there to be looked at."""

    frames: list[int]
    anchored: bool

    @property
    def own(self) -> list[int]:
        """The consecutive frames that the window is there for."""
        return self.frames[1:] if self.anchored else self.frames


@dataclass(frozen=True)
class Windows:
    """`frames` of a clip at once, None for all; neighbours share at least `overlap`, None for a quarter.

    Sparse-causal attention and its relatives look at frame 0, which holds the look of a clip together. So
    every window but the first starts with the clip's frame 0, as an anchor whose prediction is not used,
    followed by one consecutive frame less. Raises `InputError` for settings out of range.
    """

    frames: int | None = None
    overlap: int | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and self.frames < 2:
            raise InputError(f"window.frames is {self.frames}, it must be at least 2, or null for all.")
        if self.frames is not None and not 0 <= self.shared <= self.frames - 2:
            raise InputError(
                f"window.overlap is {self.overlap}, it must be between 0 and {self.frames - 2}, "
                "two less than window.frames."
            )

    @property
    def shared(self) -> int:
        """The overlap in frames."""
        return (self.frames or 0) // 4 if self.overlap is None else self.overlap

    def most(self, num_frames: int) -> int:
        """How many frames of a clip are seen at once."""
        return num_frames if self.frames is None else min(self.frames, num_frames)

    def cut(self, num_frames: int) -> list[Window]:
        """As few windows as the overlap allows, of one length, spread evenly over the clip."""
        first = self.most(num_frames)
        windows = [Window(list(range(first)), anchored=False)]
        if rest := num_frames - first:
            count = math.ceil(rest / (first - 1 - self.shared))
            for k in range(1, count + 1):
                end = first + rest * k // count
                windows.append(Window([0, *range(end - first + 1, end)], anchored=True))
        return windows

    def weights(self, num_frames: int) -> Float[Tensor, "windows f"]:
        """The share of each window in each frame: sin^2 over its own frames, scaled to a sum of one."""
        windows = self.cut(num_frames)
        weights = torch.zeros(len(windows), num_frames, dtype=torch.float64)
        for row, window in zip(weights, windows, strict=True):
            centres = torch.arange(len(window.own), dtype=torch.float64) + 0.5
            row[window.own] = torch.sin(math.pi * centres / len(window.own)).square()
        return (weights / weights.sum(dim=0)).float()
