"""The blocks of a GIF file, walked without decoding a pixel (GIF89a specification, sections 15 to 27)."""

from dataclasses import dataclass
from pathlib import Path

from giftune.errors import InputError
from giftune.io.header import Header, sniff
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.timing import shown_ms

_TRAILER, _EXTENSION, _IMAGE, _PADDING = 0x3B, 0x21, 0x2C, 0x00
_GRAPHIC_CONTROL, _APPLICATION = 0xF9, 0xFF
# Two writers, one meaning: the loop count of the whole animation.
_LOOP_NAMES = (b"NETSCAPE2.0", b"ANIMEXTS1.0")


@dataclass(frozen=True)
class Patch:
    """One image block: where it is drawn, how it leaves the canvas, and where its compressed data lies."""

    left: int
    top: int
    width: int
    height: int
    duration_ms: int
    disposal: int
    transparent: int | None
    interlaced: bool
    palette: bytes
    data: slice


@dataclass(frozen=True)
class Blocks:
    """The logical screen, its loop count (None: play once) and every patch in order."""

    width: int
    height: int
    loop: int | None
    patches: tuple[Patch, ...]

    @property
    def durations_ms(self) -> tuple[int, ...]:
        """How long browsers show each frame."""
        return tuple(shown_ms(patch.duration_ms) for patch in self.patches)


class _Cursor:
    """A reading position that turns the end of the file into InputError."""

    def __init__(self, content: bytes, path: Path) -> None:
        self.content, self.path, self.at = content, path, 0

    def take(self, count: int) -> bytes:
        self.at += count
        if self.at > len(self.content):
            raise InputError(f"path {self.path} is truncated: the GIF ends in the middle of a block")
        return self.content[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def sub_blocks(self) -> list[bytes]:
        blocks = []
        while size := self.byte():
            blocks.append(self.take(size))
        return blocks

    def palette(self, flags: int) -> bytes:
        return self.take(3 * 2 ** ((flags & 7) + 1)) if flags & 0x80 else b""


def gif_header(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Size, timing and loop count, without decoding."""
    _, blocks = load(Path(path), limits)
    return Header(blocks.width, blocks.height, blocks.durations_ms, blocks.loop, "gif")


def load(path: Path, limits: Limits) -> tuple[bytes, Blocks]:
    """The bytes of a GIF file and its blocks; raises InputError for another kind of file."""
    if sniff(path, limits) != "gif":
        raise InputError(f"path {path} is not a GIF")
    content = path.read_bytes()
    return content, walk(content, path, limits)


def walk(content: bytes, path: Path, limits: Limits) -> Blocks:
    """List the blocks; raises InputError for truncation, damage, no image, or more frames than `max_frames`.

    A missing trailer after a complete image is accepted, as every viewer does.
    """
    cursor = _Cursor(content, path)
    screen = cursor.take(13)
    shared = cursor.palette(screen[10])
    patches: list[Patch] = []
    loop: int | None = None
    control: bytes | None = None
    while cursor.at < len(content) and (kind := cursor.byte()) != _TRAILER:
        if kind == _EXTENSION:
            label, blocks = cursor.byte(), cursor.sub_blocks()
            if label == _GRAPHIC_CONTROL and blocks and len(blocks[0]) >= 4:
                control = blocks[0]
            elif label == _APPLICATION and len(blocks) > 1 and blocks[0] in _LOOP_NAMES:
                loop = _loop(blocks[1], loop)
        elif kind == _IMAGE:
            patches.append(_patch(cursor, control or bytes(4), shared))
            limits.check_frames(path, len(patches))
            limits.check_side(path, patches[-1].width, patches[-1].height)
            control = None
        elif kind != _PADDING:
            raise InputError(f"path {path} is damaged: byte {cursor.at - 1} starts no GIF block")
    if not patches:
        raise InputError(f"path {path} is a GIF without any image")
    if control is not None and kind != _TRAILER:
        raise InputError(f"path {path} is truncated: the GIF ends before the image it announces")
    # Some writers leave the screen size 0 and mean that of the first image.
    first = patches[0]
    width = max(_short(screen, 6), first.left + first.width)
    height = max(_short(screen, 8), first.top + first.height)
    limits.check_side(path, width, height)
    return Blocks(width, height, loop, tuple(patches))


def _patch(cursor: _Cursor, control: bytes, shared: bytes) -> Patch:
    box = cursor.take(9)
    palette = cursor.palette(box[8]) or shared
    start = cursor.at
    cursor.byte()
    while size := cursor.byte():
        cursor.take(size)
    left, top, width, height = (_short(box, k) for k in (0, 2, 4, 6))
    if width == 0 or height == 0:
        raise InputError(f"path {cursor.path} is damaged: it has an image of {width} x {height}")
    return Patch(
        left, top, width, height,
        duration_ms=10 * _short(control, 1),
        disposal=(control[0] >> 2) & 7,
        transparent=control[3] if control[0] & 1 else None,
        interlaced=bool(box[8] & 0x40),
        palette=palette,
        data=slice(start, cursor.at),
    )  # fmt: skip


def _loop(block: bytes, before: int | None) -> int | None:
    return _short(block, 1) if len(block) >= 3 and block[0] & 7 == 1 else before


def _short(block: bytes, at: int) -> int:
    return int.from_bytes(block[at : at + 2], "little")
