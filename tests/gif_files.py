"""GIF files with every feature, and what they show by the rules of the specification, pixel by pixel."""

import random
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.GifImagePlugin import getdata


@dataclass
class Part:
    """One image block of a GIF."""

    left: int
    top: int
    indices: np.ndarray
    palette: np.ndarray
    duration: int = 100
    disposal: int = 0
    transparent: int | None = None
    local: bool = True

    def blocks(self) -> bytes:
        image = Image.fromarray(self.indices)
        image.putpalette(self.palette.tobytes())
        facts = {} if self.transparent is None else {"transparency": self.transparent}
        data = getdata(
            image, (self.left, self.top), duration=self.duration, disposal=self.disposal,
            include_color_table=self.local, **facts,
        )  # fmt: skip
        return b"".join(data)


def solid(width: int, height: int, colour: int = 0, **facts) -> Part:
    palette = np.array([[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9]], np.uint8)
    indices = np.full((height, width), colour, np.uint8)
    return Part(**{"left": 0, "top": 0, "indices": indices, "palette": palette} | facts)


def write(path: Path, width: int, height: int, parts: list[Part], loop: int | None = 0) -> Path:
    shared = b"" if parts[0].local else parts[0].palette.tobytes()
    flags = 0x80 | (len(shared) // 3).bit_length() - 2 if shared else 0
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, flags, 0, 0) + shared
    if loop is not None:
        head += b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", loop) + b"\x00"
    path.write_bytes(head + b"".join(part.blocks() for part in parts) + b";")
    return path


def shown(width: int, height: int, parts: list[Part]) -> list[np.ndarray]:
    """One loop over pixels per frame; a pixel is a colour or None for "nothing drawn yet"."""
    canvas = [[None] * width for _ in range(height)]
    frames = []
    for part in parts:
        before = [list(row) for row in canvas]
        inside = []
        for y, row in enumerate(part.indices):
            for x, index in enumerate(row):
                inside.append((part.top + y, part.left + x))
                if index != part.transparent:
                    canvas[part.top + y][part.left + x] = tuple(part.palette[index])
        frames.append(np.array([[pixel or (255, 255, 255) for pixel in row] for row in canvas], np.uint8))
        for y, x in inside:
            if part.disposal == 2:
                canvas[y][x] = None
            elif part.disposal == 3:
                canvas[y][x] = before[y][x]
    return frames


def draw(seed: int) -> tuple[int, int, list[Part]]:
    """A random GIF: partial frames, all disposal methods, transparency, palettes of any size."""
    dice = random.Random(seed)
    noise = np.random.default_rng(seed)
    width, height = dice.randint(2, 20), dice.randint(2, 20)
    parts = []
    for _ in range(dice.randint(1, 6)):
        w, h = dice.randint(1, width), dice.randint(1, height)
        colours = dice.choice([2, 3, 8, 17, 256])
        parts.append(
            Part(
                left=dice.randint(0, width - w),
                top=dice.randint(0, height - h),
                indices=noise.integers(0, colours, (h, w)).astype(np.uint8),
                palette=noise.integers(0, 256, (colours, 3)).astype(np.uint8),
                duration=10 * dice.randint(0, 30),
                disposal=dice.randint(0, 3),
                transparent=dice.choice([None, dice.randrange(colours)]),
            )
        )
    return width, height, parts
