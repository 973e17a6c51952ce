"""Folders of masks, one picture a frame in which subjects are numbered: what DAVIS calls annotations."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from giftune.errors import InputError
from giftune.io.atomic import atomic_path
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.picture import open_picture

_KINDS = ("P", "L", "1")  # numbers by palette, by grey value, or only yes and no
# The first colours of DAVIS's palette, which is PASCAL VOC's; only the numbers count.
_PALETTE = (0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0)


def read_masks(
    folder: str | Path, names: Sequence[str], limits: Limits = DEFAULT_LIMITS
) -> UInt8[np.ndarray, "f h w"]:
    """The masks `name`.png, with the subject's number in each pixel and 0 for the background.

    Raises InputError for a mask that is missing, in colours without a palette, or of another size.
    """
    folder = Path(folder)
    masks = [_read(folder / f"{name}.png", limits) for name in names]
    for name, mask in zip(names, masks, strict=True):
        if mask.shape != masks[0].shape:
            raise InputError(
                f"path {folder / name}.png is {mask.shape[1]} x {mask.shape[0]}, "
                f"but the first mask is {masks[0].shape[1]} x {masks[0].shape[0]}"
            )
    return np.stack(masks)


def write_masks(masks: UInt8[np.ndarray, "f h w"], folder: str | Path) -> None:
    """Write 00000.png, 00001.png, ... with DAVIS's colours into a folder, made when missing."""
    Path(folder).mkdir(exist_ok=True)
    for index, mask in enumerate(masks):
        picture = Image.fromarray(mask).convert("P")
        picture.putpalette(_PALETTE)
        with atomic_path(Path(folder) / f"{index:05d}.png") as temporary:
            picture.save(temporary)


def _read(path: Path, limits: Limits) -> UInt8[np.ndarray, "h w"]:
    with open_picture(path, limits) as image:
        if image.mode not in _KINDS:
            raise InputError(f"path {path} is no mask: it must have a palette or grey values")
        return np.asarray(image).astype(np.uint8)
