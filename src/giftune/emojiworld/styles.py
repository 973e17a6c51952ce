"""The styles of EmojiWorld: functions from a picture to a picture, at the scene's resolution."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float
from numpy import ndarray

Picture = Float[ndarray, "h w 3"]


def plain(picture: Picture) -> Picture:
    return picture


def pixel_art(picture: Picture) -> Picture:
    """Blocks of 1/16 of the picture's side, each of one colour."""
    block = picture.shape[0] // 16
    h, w = picture.shape[0] // block, picture.shape[1] // block
    cells = picture[: h * block, : w * block].reshape(h, block, w, block, 3).mean(axis=(1, 3))
    cells = 0.5 + 1.15 * (cells - 0.5)
    return cells.repeat(block, axis=0).repeat(block, axis=1).clip(0, 1).astype(np.float32)


def sketch(picture: Picture) -> Picture:
    """Dark contours over a pale wash of the colours, on paper."""
    gray = picture.mean(axis=2)
    padded = np.pad(gray, 1, mode="edge")
    dx = padded[1:-1, 2:] - padded[1:-1, :-2]
    dy = padded[2:, 1:-1] - padded[:-2, 1:-1]
    contour = np.clip(1.5 * np.hypot(dx, dy) - 0.1, 0, 0.75)[..., None]
    wash = 1 - 0.3 * (1 - picture)
    paper = np.array([1.0, 0.985, 0.95], dtype=np.float32)
    return (wash * paper * (1 - contour) + 0.15 * contour).astype(np.float32)


def sunset(picture: Picture) -> Picture:
    """Warm light from the horizon: red and orange are kept, green and blue fade."""
    tint = np.array([1.0, 0.62, 0.52], dtype=np.float32)
    glow = np.array([0.16, 0.04, 0.08], dtype=np.float32)
    return (picture * tint + glow).clip(0, 1)


STYLES: dict[str, Callable[[Picture], Picture]] = {
    "plain": plain,
    "pixel art": pixel_art,
    "sketch": sketch,
    "sunset": sunset,
}
