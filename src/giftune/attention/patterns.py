"""Which frames each frame sees in self-attention: row i of a table names those that frame i attends to."""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from giftune.errors import InputError

Pattern = Callable[[int], Int[Tensor, "f m"]]


def per_frame(num_frames: int) -> Int[Tensor, "f 1"]:
    """Every frame sees itself: the image model."""
    return torch.arange(num_frames)[:, None]


def first_frame(num_frames: int) -> Int[Tensor, "f 1"]:
    """Every frame sees frame 0 (Text2Video-Zero, Khachatryan et al. 2023, eq. 10)."""
    return torch.zeros(num_frames, 1, dtype=torch.long)


def previous_frame(num_frames: int) -> Int[Tensor, "f 1"]:
    """Every frame sees the one before it, frame 0 itself."""
    return (torch.arange(num_frames) - 1).clamp(min=0)[:, None]


def sparse_causal(num_frames: int) -> Int[Tensor, "f 2"]:
    """Every frame sees frame 0 and the one before it, not itself (Tune-A-Video, Wu et al. 2023, eq. 5)."""
    return torch.cat([first_frame(num_frames), previous_frame(num_frames)], dim=1)


def window(size: int) -> Pattern:
    """Every frame sees `size` neighbours, itself among them; at the ends the window stays inside the clip."""
    if size < 1:
        raise InputError(f"window size is {size}, it must be at least 1")

    def pattern(num_frames: int) -> Int[Tensor, "f m"]:
        seen = min(size, num_frames)
        start = (torch.arange(num_frames) - seen // 2).clamp(0, num_frames - seen)
        return start[:, None] + torch.arange(seen)

    pattern.__name__ = f"window({size})"
    return pattern


def full(num_frames: int) -> Int[Tensor, "f f"]:
    """Every frame sees all frames."""
    return torch.arange(num_frames).repeat(num_frames, 1)
