"""GIF files to clips and back. Pillow codes the pixels; placing and timing them is done here.

Pillow's own animation reader keeps a disposal method for the frames after it, and its writer drops frames
equal to their neighbour, so both are given one image block at a time.
"""

import io
import struct
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from PIL.GifImagePlugin import getdata

from giftune.clip import Clip, Selection
from giftune.errors import InputError
from giftune.io.atomic import atomic_path
from giftune.io.gif_blocks import Blocks, Patch, load
from giftune.io.gif_palette import QUALITIES, Indexed, changed_box, quantize
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.timing import SHORTEST_SHOWN_MS, whole

_BACKGROUND, _PREVIOUS = 2, 3
_WHITE = 255
_LARGEST = 0xFFFF


def read_gif(path: str | Path, limits: Limits = DEFAULT_LIMITS, selection: Selection | None = None) -> Clip:
    """Read a GIF as a browser shows it, except that what stays transparent becomes white.

    "Restore to background" clears to transparent, and delays up to 10 ms count as 100 ms.
    Raises InputError for files that are empty, truncated, damaged, no GIF, or beyond a limit.
    """
    path = Path(path)
    selection = selection or Selection()
    content, blocks = load(path, limits)
    durations = blocks.durations_ms
    indices = selection.indices(len(durations), f"path {path}")
    limits.check(path, width=blocks.width, height=blocks.height, num_frames=len(indices))
    pixels = _draw(content, blocks, indices, path)
    return Clip.from_pixels(pixels, selection.durations(durations, indices), blocks.loop, path.stem)


def write_gif(
    clip: Clip, path: str | Path, quality: Literal["small", "balanced", "best"] = "balanced"
) -> None:
    """Write every frame, also one equal to the frame before, with its own duration, palette and place.

    Time is kept in 1/100 s, at least 2, with the rounding error carried on. The same clip gives
    the same bytes. Raises InputError for what GIF cannot say and a path that cannot be written.
    """
    path = Path(path)
    if quality not in QUALITIES:
        raise InputError(f"quality={quality} is unknown: it must be one of {', '.join(QUALITIES)}")
    if clip.loop is not None and not 0 <= clip.loop <= _LARGEST:
        raise InputError(f"loop={clip.loop} does not fit a GIF: it must be None or 0 to {_LARGEST}")
    if max(clip.width, clip.height) > _LARGEST:
        raise InputError(
            f"a clip of {clip.width} x {clip.height} does not fit a GIF: {_LARGEST} is the limit"
        )
    delays = whole((ms / 10 for ms in clip.durations_ms), least=SHORTEST_SHOWN_MS // 10)
    if max(delays) > _LARGEST:
        raise InputError(
            f"a frame of {max(clip.durations_ms)} ms does not fit a GIF: {_LARGEST}0 ms is the limit"
        )
    pixels = clip.pixels()
    frames = quantize(pixels, quality)
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(b"GIF89a" + struct.pack("<HHBBB", clip.width, clip.height, 0x70, 0, 0))
        if clip.loop is not None:
            file.write(b"\x21\xff\x0bNETSCAPE2.0\x03\x01" + struct.pack("<H", clip.loop) + b"\x00")
        before = None
        for frame, delay in zip(frames, delays, strict=True):
            shown = frame.rgb()
            file.write(_encode(frame, changed_box(before, shown), delay))
            before = shown
        file.write(b";")


def _draw(
    content: bytes, blocks: Blocks, indices: tuple[int, ...], path: Path
) -> UInt8[np.ndarray, "f h w 3"]:
    """Draw the patches one after the other on one canvas and copy it at the wanted frames."""
    canvas = np.full((blocks.height, blocks.width, 3), _WHITE, np.uint8)
    kept = np.empty((len(indices), *canvas.shape), np.uint8)
    slots = {index: slot for slot, index in enumerate(indices)}
    for index, patch in enumerate(blocks.patches[: indices[-1] + 1]):
        # Later patches may hang over the screen: the slice cuts them, as viewers do.
        area = canvas[patch.top : patch.top + patch.height, patch.left : patch.left + patch.width]
        before = area.copy()
        try:
            colours, opaque = _decode(content, patch)
        except Exception as error:
            raise InputError(
                f"path {path} is damaged: frame {index} of {len(blocks.patches)}: {error}"
            ) from error
        rows, columns = area.shape[:2]
        np.copyto(area, colours[:rows, :columns], where=opaque[:rows, :columns, None])
        if index in slots:
            kept[slots[index]] = canvas
        if patch.disposal == _BACKGROUND:
            area[...] = _WHITE
        elif patch.disposal == _PREVIOUS:
            area[...] = before
    return kept


def _decode(content: bytes, patch: Patch) -> tuple[UInt8[np.ndarray, "h w 3"], Bool[np.ndarray, "h w"]]:
    """Let Pillow decode one patch as a GIF of its own."""
    bits = max(len(patch.palette) // 3, 2).bit_length() - 2
    flags = (0x80 | bits) if patch.palette else 0
    single = b"GIF89a" + struct.pack("<HHBBB", patch.width, patch.height, flags, 0, 0) + patch.palette
    single += b"," + struct.pack("<HHHHB", 0, 0, patch.width, patch.height, 0x40 * patch.interlaced)
    with Image.open(io.BytesIO(single + content[patch.data] + b";"), formats=["GIF"]) as image:
        indices = np.asarray(image)
        colours = np.asarray(image.convert("RGB"))
    return colours, indices != (-1 if patch.transparent is None else patch.transparent)


def _encode(frame: Indexed, box: tuple[int, int, int, int], delay: int) -> bytes:
    left, top, right, bottom = box
    part = Indexed(frame.indices[top:bottom, left:right], frame.palette).trimmed()
    image = Image.fromarray(part.indices)
    image.putpalette(part.palette.tobytes())
    return b"".join(getdata(image, (left, top), duration=10 * delay, disposal=1, include_color_table=True))
