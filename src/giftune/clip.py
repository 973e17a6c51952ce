"""The one value that enters and leaves every method: frames with their timing."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.nn.functional import interpolate, pad

from giftune.errors import InputError


@dataclass(frozen=True)
class Selection:
    """Which frames of a clip are wanted: `num_frames` of them (None: all), from `start`, every `stride`-th.

    A stride of None spreads `num_frames` uniformly over everything from `start` on.
    """

    num_frames: int | None = None
    start: int = 0
    stride: int | None = 1

    def indices(self, total: int, name: str) -> tuple[int, ...]:
        """Positions in a clip of `total` frames; raises InputError when it is too short."""
        for field, value, least in (
            ("num_frames", self.num_frames, 1),
            ("start", self.start, 0),
            ("stride", self.stride, 1),
        ):
            if value is not None and value < least:
                raise InputError(f"{field}={value} is too small: it must be at least {least}")
        available = total - self.start
        if self.num_frames is None:
            needed = 1
        else:
            needed = self.num_frames if self.stride is None else (self.num_frames - 1) * self.stride + 1
        if needed > available:
            raise InputError(
                f"num_frames={'all' if self.num_frames is None else self.num_frames} with start={self.start} "
                f"and stride={self.stride} needs {self.start + needed} frames, but {name} has {total}"
            )
        if self.num_frames is None:
            return tuple(range(self.start, total, self.stride or 1))
        if self.stride is None:
            return tuple(self.start + k * available // self.num_frames for k in range(self.num_frames))
        return tuple(range(self.start, self.start + needed, self.stride))

    def durations(self, durations_ms: Sequence[int], indices: Sequence[int]) -> tuple[int, ...]:
        """Time of each kept frame, together with the frames skipped after it: playing time is preserved."""
        total = len(durations_ms)
        end = total if self.stride is None else min(total, indices[-1] + self.stride)
        edges = (*indices, end)
        return tuple(sum(durations_ms[a:b]) for a, b in pairwise(edges))


@dataclass(frozen=True, eq=False)
class Clip:
    """Frames in [-1, 1] with a duration each and a GIF loop count: 0 for ever, None once, n for n repeats."""

    frames: Float[Tensor, "f 3 h w"]
    durations_ms: tuple[int, ...]
    loop: int | None = 0
    name: str = "clip"

    def __post_init__(self) -> None:
        shape = tuple(self.frames.shape)
        if len(shape) != 4 or shape[1] != 3 or 0 in shape or self.frames.dtype != torch.float32:
            raise InputError(
                f"frames of shape {shape} and type {self.frames.dtype} must be of shape f 3 h w in float32"
            )
        if len(self.durations_ms) != shape[0]:
            raise InputError(f"durations_ms has {len(self.durations_ms)} entries for {shape[0]} frames")
        if min(self.durations_ms) <= 0:
            raise InputError(f"durations_ms={self.durations_ms} must all be positive")

    @classmethod
    def from_pixels(
        cls,
        pixels: UInt8[np.ndarray, "f h w 3"],
        durations_ms: tuple[int, ...],
        loop: int | None = 0,
        name: str = "clip",
    ) -> "Clip":
        """8-bit RGB to a clip; `pixels` is the exact inverse."""
        frames = rearrange(torch.from_numpy(pixels), "f h w c -> f c h w")
        frames = frames.to(torch.float32, memory_format=torch.contiguous_format)
        return cls(frames.div_(127.5).sub_(1), durations_ms, loop, name)

    def pixels(self) -> UInt8[np.ndarray, "f h w 3"]:
        """The clip in 8-bit RGB; raises InputError for frames that are not finite."""
        frames = self.frames.detach().cpu()
        if not torch.isfinite(frames).all():
            raise InputError(f"clip {self.name} has pixels that are not finite numbers")
        bytes_ = ((frames + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
        return np.ascontiguousarray(rearrange(bytes_, "f c h w -> f h w c").numpy())

    def __len__(self) -> int:
        return self.frames.shape[0]

    def __getitem__(self, part: slice) -> "Clip":
        if len(range(len(self))[part]) == 0:
            raise InputError(f"slice {part} of clip {self.name} with {len(self)} frames is empty")
        return replace(self, frames=self.frames[part], durations_ms=self.durations_ms[part])

    @property
    def height(self) -> int:
        return self.frames.shape[2]

    @property
    def width(self) -> int:
        return self.frames.shape[3]

    def sample(self, num_frames: int, start: int = 0, stride: int | None = 1) -> "Clip":
        """Keep some frames and the time of the frames skipped between them (see Selection)."""
        selection = Selection(num_frames, start, stride)
        indices = selection.indices(len(self), f"clip {self.name}")
        kept = self.frames[torch.tensor(indices, device=self.frames.device)]
        return replace(self, frames=kept, durations_ms=selection.durations(self.durations_ms, indices))

    def fit(self, height: int, width: int, mode: Literal["crop", "pad", "stretch"] = "crop") -> "Clip":
        """Antialiased bicubic resize: crop cuts the centre out, pad adds bars of the mean edge colour."""
        if height < 1 or width < 1:
            raise InputError(f"height={height} and width={width} must be at least 1")
        if mode not in ("crop", "pad", "stretch"):
            raise InputError(f"mode={mode} is unknown: it must be crop, pad or stretch")
        if (height, width) == (self.height, self.width):
            return self
        ratios = (height / self.height, width / self.width)
        scale = {"crop": max(ratios), "pad": min(ratios), "stretch": None}[mode]
        inner_h = height if scale is None else max(1, round(self.height * scale))
        inner_w = width if scale is None else max(1, round(self.width * scale))
        frames = self.frames
        if (inner_h, inner_w) != (self.height, self.width):
            frames = interpolate(frames, (inner_h, inner_w), mode="bicubic", antialias=True).clamp(-1, 1)
        top, left = (inner_h - height) // 2, (inner_w - width) // 2
        if mode == "crop":
            frames = frames[..., top : top + height, left : left + width].contiguous()
        elif mode == "pad":
            frames = _pad(frames, height, width)
        return replace(self, frames=frames)

    def with_frames(self, frames: Float[Tensor, "f 3 h w"]) -> "Clip":
        """Other pictures with the timing, loop and name of this clip; raises InputError for another count."""
        if len(frames) != len(self):
            raise InputError(f"frames has {len(frames)} frames, but clip {self.name} has {len(self)}")
        return replace(self, frames=frames)

    def content_hash(self) -> str:
        """SHA-256 of shape and pixels; timing and name do not count."""
        digest = hashlib.sha256(repr(tuple(self.frames.shape)).encode())
        digest.update(self.frames.detach().cpu().contiguous().numpy().data)
        return digest.hexdigest()


def _pad(frames: Float[Tensor, "f 3 a b"], height: int, width: int) -> Float[Tensor, "f 3 h w"]:
    """Centre the frames on bars of one colour for the whole clip, so that the bars do not flicker."""
    rows, columns = height - frames.shape[2], width - frames.shape[3]
    edges = frames[:, :, [0, -1]] if rows > columns else frames[..., [0, -1]]
    colour = rearrange(edges, "f c a b -> c (f a b)").mean(dim=1)
    top, left = rows // 2, columns // 2
    offset = rearrange(colour, "c -> 1 c 1 1")
    return pad(frames - offset, (left, columns - left, top, rows - top)) + offset
