"""Files of clips with a table of captions: what WebVid, TGIF and the like have in common."""

import os
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import torch
from torch import Generator

from giftune.clip import Clip
from giftune.data.clip_rows import Rows
from giftune.data.clip_source import Skip, Unusable
from giftune.data.framing import Fit
from giftune.errors import InputError
from giftune.io.read import probe, read_clip
from giftune.methods.base import Example


@dataclass(kw_only=True)
class ClipFiles(ABC):
    """Of each clip `num_frames` frames, `size` x `size` pixels large.

    They are every `stride`-th from a random one on, or with `stride` None spread over the whole clip. Rows
    without a caption or whose file is not there are left out. Raises `InputError` if none is left.
    """

    path: str | Path  # the folder
    table: str | Path  # in that folder, unless it is another path
    num_frames: int = 16
    stride: int | None = None
    size: int = 256
    multiple: int = 8
    fit: Fit = "crop"
    rows: Rows = field(init=False)

    def __post_init__(self) -> None:
        for name, value, least in (("num_frames", self.num_frames, 2), ("stride", self.stride, 1)):
            if value is not None and value < least:
                raise InputError(f"corpus.{name} is {value}, it must be at least {least}.")
        if self.size < self.multiple or self.size % self.multiple:
            raise InputError(f"corpus.size is {self.size}, it must be a multiple of {self.multiple}.")
        if not Path(self.path).is_dir():
            raise InputError(f"corpus.path {self.path} is not a folder.")
        beside = Path(self.path) / self.table
        listing = cache(_names_in)
        self.rows = self.read_table(
            beside if beside.exists() else Path(self.table), lambda row: self._judge(row, listing)
        )
        if not len(self.rows):
            kinds = Counter(skip.kind for skip in self.left_out)
            found = ", ".join(f"{number} {kind}" for kind, number in kinds.items()) or "an empty table"
            raise InputError(f"corpus.path {self.path} has no clip that can be used: {found}.")

    @abstractmethod
    def read_table(self, path: Path, judge: Callable[[Mapping[str, str]], Skip | None]) -> Rows:
        """The rows that `judge` lets through."""

    @abstractmethod
    def file(self, row: Mapping[str, str]) -> str:
        """Where a row's clip is, seen from the folder."""

    @abstractmethod
    def caption(self, row: Mapping[str, str]) -> str:
        """What a row says that the clip shows."""

    @property
    def count(self) -> int:
        return len(self.rows)

    @property
    def digest(self) -> str:
        return self.rows.digest

    @property
    def left_out(self) -> list[Skip]:
        return self.rows.left_out

    def read(self, number: int, generator: Generator) -> Example:
        row = self.rows[number]
        name = self.file(row)
        try:
            clip = self._excerpt(Path(self.path) / name, generator)
        except Unusable:
            raise
        except (InputError, OSError) as error:
            raise Unusable(Skip(name, "broken", str(error))) from error
        return Example(clip, self.caption(row), name)

    def _excerpt(self, path: Path, generator: Generator) -> Clip:
        total = probe(path).num_frames
        needed = self.num_frames if self.stride is None else (self.num_frames - 1) * self.stride + 1
        if total < needed:
            name = path.relative_to(self.path).as_posix()
            reason = f"path {path} has {total} frame(s), but {needed} are needed."
            raise Unusable(Skip(name, "too short", reason))
        start = 0
        if self.stride is not None:
            start = int(torch.randint(total - needed + 1, (), generator=generator))
        clip = read_clip(path, num_frames=self.num_frames, start=start, stride=self.stride)
        return clip.fit(self.size, self.size, self.fit)

    def _judge(self, row: Mapping[str, str], listing: Callable[[Path], set[str]]) -> Skip | None:
        name = self.file(row)
        if not self.caption(row):
            return Skip(name, "without caption", f"{name} has no caption.")
        path = Path(self.path) / name
        outside = path == Path(self.path) or ".." in path.parts[len(Path(self.path).parts) :]
        if outside or path.name not in listing(path.parent):
            return Skip(name, "missing", f"path {path} does not exist.")
        return None


def _names_in(folder: Path) -> set[str]:
    """Asked once for each folder, which on a network is much faster than once for each file."""
    return set(os.listdir(folder)) if folder.is_dir() else set()
