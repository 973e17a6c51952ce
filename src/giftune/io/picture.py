"""Still pictures and the animations Pillow reads whole: PNG and APNG, JPEG, WebP."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps, ImageSequence

from giftune.clip import Clip, Selection
from giftune.errors import InputError
from giftune.io.header import Header, sniff
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.timing import shown_ms

FORMATS = ("png", "jpeg", "webp")
_EIGHT_BIT = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")


def picture_header(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Size, timing and loop count; Pillow tells the timing of an animation only while decoding it."""
    with open_picture(Path(path), limits) as image:
        if getattr(image, "n_frames", 1) == 1:
            durations = [shown_ms(0)]
        else:
            durations = [_duration(frame) for frame in ImageSequence.Iterator(image)]
        width, height = _upright_size(image)
        return Header(width, height, tuple(durations), _loop(image), str(image.format).lower())


def read_picture(
    path: str | Path, limits: Limits = DEFAULT_LIMITS, selection: Selection | None = None
) -> Clip:
    """Read a still picture as a clip of one frame, or an animated PNG or WebP, on white.

    Raises InputError for files that are no such picture, damaged, deeper than 8 bits, or beyond a limit.
    """
    path = Path(path)
    selection = selection or Selection()
    with open_picture(path, limits) as image:
        indices = selection.indices(getattr(image, "n_frames", 1), f"path {path}")
        width, height = _upright_size(image)
        limits.check(path, width=width, height=height, num_frames=len(indices))
        kept = np.empty((len(indices), height, width, 3), np.uint8)
        slots = {index: slot for slot, index in enumerate(indices)}
        durations = []
        for index, frame in enumerate(ImageSequence.Iterator(image)):
            durations.append(_duration(frame))
            if index in slots:
                kept[slots[index]] = rgb_on_white(frame)
        return Clip.from_pixels(kept, selection.durations(durations, indices), _loop(image), path.stem)


def rgb_on_white(image: Image.Image) -> UInt8[np.ndarray, "h w 3"]:
    """An upright 8-bit picture, transparency over white; raises ValueError for deeper ones."""
    if image.mode not in _EIGHT_BIT:
        raise ValueError(f"pictures of Pillow's mode {image.mode} are not supported, only 8-bit ones")
    colours = ImageOps.exif_transpose(image).convert("RGBA")
    return np.asarray(Image.alpha_composite(Image.new("RGBA", colours.size, "white"), colours).convert("RGB"))


@contextmanager
def open_picture(path: Path, limits: Limits) -> Iterator[Image.Image]:
    """Open with limits checked; what Pillow raises while the picture is used becomes InputError."""
    found = sniff(path, limits)
    if found not in FORMATS:
        raise InputError(f"path {path} is not a picture: its content must be one of {', '.join(FORMATS)}")
    try:
        with Image.open(path, formats=[found]) as image:
            limits.check_side(path, *image.size)
            limits.check_frames(path, getattr(image, "n_frames", 1))
            yield image
    except InputError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise InputError(f"path {path} is damaged or unsupported: {error}") from error


def _upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height after the camera's rotation note (EXIF orientations 5 to 8 turn by a quarter)."""
    width, height = image.size
    return (height, width) if image.getexif().get(0x0112, 1) >= 5 else (width, height)


def _loop(image: Image.Image) -> int | None:
    """PNG and WebP count how often to play, 0 for ever; GIF counts the repeats after the first time."""
    plays = image.info.get("loop", 0)
    return {0: 0, 1: None}.get(plays, plays - 1)


def _duration(frame: Image.Image) -> int:
    frame.load()
    return shown_ms(round(frame.info.get("duration", 0)))
