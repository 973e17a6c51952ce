"""Clips as one picture each that holds all frames, so that a page can show all of them at the same moment."""

import base64
import hashlib
import io
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.atomic import atomic_path
from giftune.io.read import read_clip

_LOSSLESS_SIDE = 128  # small clips stay as they are, pixel by pixel
_QUALITY = 88


class Sheet(NamedTuple):
    """Frames in reading order in one picture; `address` is a data URI or a file beside the page."""

    name: str
    address: str
    width: int
    height: int
    columns: int
    durations_ms: tuple[int, ...]


@dataclass
class Sheets:
    """Makes sheets, each content once; clips whose longer side exceeds `longest` pixels are shrunk.

    With a `folder` they are written there and addressed relative to the folder above it.
    """

    longest: int = 256
    folder: Path | None = None
    by_content: dict[str, Sheet] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.longest < 16:
            raise InputError(f"tile is {self.longest}, it must be at least 16 pixels.")

    def sheet(self, path: Path) -> Sheet:
        """Raises `InputError` for what cannot be read."""
        key = hashlib.sha256(path.read_bytes() if path.is_file() else str(path).encode()).hexdigest()
        if key not in self.by_content:
            clip = read_clip(path)
            content, columns, (width, height) = encode(clip, self.longest)
            name = key[:16]
            self.by_content[key] = Sheet(
                name, self._address(name, content), width, height, columns, clip.durations_ms
            )
        return self.by_content[key]

    def _address(self, name: str, content: bytes) -> str:
        if self.folder is None:
            return f"data:image/webp;base64,{base64.b64encode(content).decode()}"
        with atomic_path(self.folder / f"{name}.webp") as temporary:
            temporary.write_bytes(content)
        return f"{self.folder.name}/{name}.webp"


def encode(clip: Clip, longest: int) -> tuple[bytes, int, tuple[int, int]]:
    """A WebP of all frames, the number of its columns, and the width and height of a frame in it."""
    scale = min(1, longest / max(clip.width, clip.height))
    size = max(1, round(clip.width * scale)), max(1, round(clip.height * scale))
    pictures = [Image.fromarray(frame) for frame in clip.pixels()]
    if scale < 1:
        pictures = [picture.resize(size, Image.Resampling.LANCZOS) for picture in pictures]
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    page = Image.fromarray(np.zeros((rows * size[1], columns * size[0], 3), np.uint8))
    for index, picture in enumerate(pictures):
        page.paste(picture, (index % columns * size[0], index // columns * size[1]))
    buffer = io.BytesIO()
    page.save(buffer, "WEBP", lossless=max(size) <= _LOSSLESS_SIDE, quality=_QUALITY, method=4)
    return buffer.getvalue(), columns, size
