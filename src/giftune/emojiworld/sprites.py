"""The subjects of EmojiWorld: emoji sprites from the atlas that ships with the package."""

from functools import cache
from importlib.resources import files

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray
from PIL import Image

SUBJECTS: dict[str, str] = {
    "rabbit": "🐰",
    "fox": "🦊",
    "panda": "🐼",
    "frog": "🐸",
    "pig": "🐷",
    "penguin": "🐧",
    "chick": "🐤",
    "koala": "🐨",
    "lion": "🦁",
    "robot": "🤖",
    "car": "🚗",
    "turtle": "🐢",
    "octopus": "🐙",
    "unicorn": "🦄",
    "bear": "🐻",
    "dog": "🐶",
}
SPRITE_SIZE = 96


@cache
def atlas() -> UInt8[ndarray, "n side side 4"]:
    """All sprites as straight-alpha RGBA, in the order of `SUBJECTS`."""
    with files("giftune.emojiworld").joinpath("assets/sprites.png").open("rb") as file:
        sheet = np.asarray(Image.open(file).convert("RGBA"))
    return sheet.reshape(len(SUBJECTS), SPRITE_SIZE, SPRITE_SIZE, 4)


@cache
def premultiplied(subject: str) -> Image.Image:
    """One sprite with colour multiplied by alpha, so that resampling leaves no dark fringe."""
    rgba = atlas()[list(SUBJECTS).index(subject)].astype(np.float32)
    rgba[..., :3] *= rgba[..., 3:] / 255
    return Image.fromarray(rgba.round().astype(np.uint8), "RGBA")


def place(
    subject: str, size: int, x: float, y: float, height: float, angle: float, mirror: bool
) -> Float[ndarray, "{size} {size} 4"]:
    """The sprite on an empty canvas: premultiplied RGBA in [0, 1].

    `x`, `y` are the sprite's centre and `height` its side, all in canvas pixels; `angle` is in degrees,
    counter-clockwise.
    """
    step = SPRITE_SIZE / height
    cos, sin = np.cos(np.deg2rad(angle)) * step, np.sin(np.deg2rad(angle)) * step
    flip = -1.0 if mirror else 1.0
    centre = SPRITE_SIZE / 2
    matrix = (
        flip * cos, -flip * sin, centre - flip * (cos * x - sin * y),
        sin, cos, centre - (sin * x + cos * y),
    )  # fmt: skip
    image = premultiplied(subject).transform(
        (size, size), Image.Transform.AFFINE, matrix, resample=Image.Resampling.BICUBIC
    )
    rgba = np.asarray(image, dtype=np.float32) / 255
    return np.minimum(rgba, rgba[..., 3:])  # bicubic overshoot must not outshine its own coverage
