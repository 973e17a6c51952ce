"""At most 256 colours per frame: the only loss a GIF has."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from PIL import Image

# Measured on real clips: octree palettes lie closer than median cut and compress better; dithering costs
# twice the bytes and gains 7 dB after the slight blur of the eye.
QUALITIES = {
    "small": "one palette of 128 colours for the clip",
    "balanced": "256 colours per frame",
    "best": "256 colours per frame, dithered",
}
_SHARED_COLOURS, _COLOURS = 128, 256


@dataclass(frozen=True)
class Indexed:
    """A frame as indices into a palette."""

    indices: UInt8[np.ndarray, "h w"]
    palette: UInt8[np.ndarray, "n 3"]

    def rgb(self) -> UInt8[np.ndarray, "h w 3"]:
        return self.palette[self.indices]

    def trimmed(self) -> "Indexed":
        """The same frame with the colours it uses only."""
        used, inverse = np.unique(self.indices, return_inverse=True)
        return Indexed(inverse.reshape(self.indices.shape).astype(np.uint8), self.palette[used])


def quantize(pixels: UInt8[np.ndarray, "f h w 3"], quality: str) -> Iterator[Indexed]:
    """Reduce each frame to a palette; frames that have few enough colours already stay exact."""
    if quality == "small":
        # Every second pixel of every second row is enough to choose colours from.
        shared = np.ascontiguousarray(pixels[:, ::2, ::2].reshape(1, -1, 3))
        palette = Image.fromarray(shared).quantize(_SHARED_COLOURS, Image.Quantize.FASTOCTREE)
        dither = Image.Dither.NONE
    for frame in pixels:
        if (exact := _exact(frame)) is not None:
            yield exact
            continue
        image = Image.fromarray(frame)
        if quality != "small":
            palette = image.quantize(_COLOURS, Image.Quantize.FASTOCTREE)
            dither = Image.Dither.FLOYDSTEINBERG if quality == "best" else Image.Dither.NONE
        yield _indexed(image.quantize(palette=palette, dither=dither))


def changed_box(
    before: UInt8[np.ndarray, "h w 3"] | None, after: UInt8[np.ndarray, "h w 3"]
) -> tuple[int, int, int, int]:
    """Left, top, right, bottom of what differs; one pixel when nothing does, as a frame needs an image."""
    height, width = after.shape[:2]
    if before is None:
        return 0, 0, width, height
    differs = (before != after).any(axis=2)
    rows, columns = np.flatnonzero(differs.any(axis=1)), np.flatnonzero(differs.any(axis=0))
    if len(rows) == 0:
        return 0, 0, 1, 1
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _exact(frame: UInt8[np.ndarray, "h w 3"]) -> Indexed | None:
    height, width = frame.shape[:2]
    if Image.fromarray(frame).getcolors(_COLOURS) is None:
        return None
    # One number per pixel sorts much faster than rows of three.
    codes = frame.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    used, inverse = np.unique(codes, return_inverse=True)
    palette = np.stack([used >> 16, used >> 8, used], axis=1).astype(np.uint8)
    return Indexed(inverse.reshape(height, width).astype(np.uint8), palette)


def _indexed(image: Image.Image) -> Indexed:
    palette = np.frombuffer(bytes(image.getpalette() or []), np.uint8).reshape(-1, 3)
    return Indexed(np.asarray(image), palette)
