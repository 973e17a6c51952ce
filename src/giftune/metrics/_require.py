"""What metrics demand of their inputs, said in words."""

import torch
from jaxtyping import Float, Num
from torch import Tensor

from giftune.errors import InputError


def require_frames(name: str, frames: Float[Tensor, "..."], least: int = 1) -> None:
    """Raises `InputError` unless `frames` is a finite colour clip of at least `least` frames."""
    if frames.ndim != 4 or frames.shape[1] != 3:
        grey = " (for grey pictures, repeat the channel three times)" if 1 in frames.shape[1:2] else ""
        raise InputError(
            f"{name} has shape {tuple(frames.shape)}, it must be frames x 3 x height x width{grey}."
        )
    if len(frames) < least:
        counted = f"{len(frames)} frame{'s' * (len(frames) != 1)}"
        raise InputError(f"{name} has {counted}, this metric compares frames and needs at least {least}.")
    if not torch.isfinite(frames).all():
        raise InputError(f"{name} has pixels that are not finite numbers.")


def require_pair(source: Float[Tensor, "..."], edited: Float[Tensor, "..."], least: int = 1) -> None:
    """Raises `InputError` unless both are clips of the same length and size."""
    require_frames("source", source, least)
    require_frames("edited", edited, least)
    if len(source) != len(edited):
        raise InputError(
            f"source has {len(source)} frames and edited {len(edited)}, they must be equally long."
        )
    if source.shape != edited.shape:
        first, second = (f"{frames.shape[3]} x {frames.shape[2]}" for frames in (source, edited))
        raise InputError(f"source is {first} and edited {second} pixels, they must have the same size.")


def require_truth(name: str, truth: Num[Tensor, "..."], shape: tuple[int, ...]) -> None:
    """Raises `InputError` unless a map or a table of truths has the shape that the clip asks for."""
    if tuple(truth.shape) != shape:
        raise InputError(f"{name} has shape {tuple(truth.shape)}, for this clip it must be {shape}.")
