"""Folders of numbered pictures, as DAVIS and most video tools store clips."""

import math
import re
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from giftune.clip import Clip, Selection
from giftune.errors import InputError
from giftune.io.atomic import atomic_path
from giftune.io.header import Header
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.picture import picture_header, read_picture
from giftune.io.timing import whole

# A folder has no timing of its own; this is the rate of the clips published with Tune-A-Video.
DEFAULT_FPS = 8.0
_JPEG: dict[str, Any] = {"quality": 95, "subsampling": 0}
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def frames_header(
    folder: str | Path, fps: int | float = DEFAULT_FPS, limits: Limits = DEFAULT_LIMITS
) -> Header:
    """Size of the first picture, and as many frames as there are pictures."""
    files = frame_files(Path(folder))
    first = picture_header(files[0], limits)
    return Header(first.width, first.height, _durations(len(files), fps), 0, "folder")


def read_frames(
    folder: str | Path,
    fps: int | float = DEFAULT_FPS,
    limits: Limits = DEFAULT_LIMITS,
    selection: Selection | None = None,
) -> Clip:
    """Read the pictures in natural order (2 before 10), shown `fps` a second.

    Raises InputError without pictures, with pictures of different sizes, and for a rate that is not positive.
    """
    folder = Path(folder)
    selection = selection or Selection()
    files = frame_files(folder)
    durations = _durations(len(files), fps)
    indices = selection.indices(len(files), f"path {folder}")
    first = picture_header(files[indices[0]], limits)
    limits.check(folder, width=first.width, height=first.height, num_frames=len(indices))
    kept = np.empty((len(indices), first.height, first.width, 3), np.uint8)
    for slot, index in enumerate(indices):
        frame = read_picture(files[index], limits, Selection(1))
        if (frame.height, frame.width) != (first.height, first.width):
            raise InputError(
                f"path {files[index]} is {frame.width} x {frame.height}, "
                f"but the first frame is {first.width} x {first.height}"
            )
        kept[slot] = frame.pixels()[0]
    return Clip.from_pixels(kept, selection.durations(durations, indices), 0, folder.resolve().name)


def write_frames(clip: Clip, folder: str | Path, suffix: Literal[".png", ".jpg"] = ".png") -> None:
    """Write 00000.png, 00001.png, ... into a folder, made when missing, that holds no picture yet.

    JPEGs are as good as they get without being large: quality 95, colours at full resolution.
    """
    folder = Path(folder)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"folder {folder} cannot be made: {error.strerror}") from error
    if _listed(folder):
        raise InputError(f"folder {folder} already holds pictures, which would mix with the new frames")
    for index, picture in enumerate(clip.pixels()):
        with atomic_path(folder / f"{index:05d}{suffix}") as temporary:
            Image.fromarray(picture).save(temporary, **({} if suffix == ".png" else _JPEG))


def frame_files(folder: Path) -> list[Path]:
    """The pictures of a folder in natural order; raises InputError without any."""
    if not folder.is_dir():
        raise InputError(f"path {folder} is not a folder")
    files = _listed(folder)
    if not files:
        raise InputError(
            f"path {folder} holds no pictures: it must have files ending in {', '.join(_SUFFIXES)}"
        )
    return files


def _listed(folder: Path) -> list[Path]:
    """Pictures in natural order; hidden files are leftovers of other programs."""
    try:
        files = [
            file
            for file in folder.iterdir()
            if file.suffix.lower() in _SUFFIXES and not file.name.startswith(".")
        ]
    except OSError as error:
        raise InputError(f"path {folder} cannot be read: {error.strerror}") from error
    return sorted(files, key=lambda file: [(len(n), n) if n.isdigit() else (0, n) for n in _parts(file.stem)])


def _parts(stem: str) -> list[str]:
    return re.split(r"(\d+)", stem)


def _durations(count: int, fps: int | float) -> tuple[int, ...]:
    if not (math.isfinite(fps) and fps > 0):
        raise InputError(f"fps={fps} is not a frame rate: it must be positive")
    return whole([1000 / fps] * count)
