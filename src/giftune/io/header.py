"""What a file says about itself before its pictures are decoded."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from giftune.errors import InputError
from giftune.io.limits import Limits

Format = Literal["gif", "png", "jpeg", "webp", "mp4", "webm"]


@dataclass(frozen=True)
class Header:
    """Size, timing and loop count of a clip on disk."""

    width: int
    height: int
    durations_ms: tuple[int, ...]
    loop: int | None
    format: str


def sniff(path: Path, limits: Limits) -> Format:
    """Recognise a file by its first bytes; its extension is not looked at.

    Raises InputError for what is missing, unreadable, empty, larger than `max_bytes` or not supported.
    """
    try:
        if not path.exists():
            raise InputError(f"path {path} does not exist")
        if not path.is_file():
            raise InputError(f"path {path} is not a regular file")
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(16)
    except OSError as error:
        raise InputError(f"path {path} cannot be read: {error.strerror}") from error
    if size == 0:
        raise InputError(f"path {path} is empty")
    limits.check_bytes(path, size)
    found = _format(start)
    if found is None:
        raise InputError(
            f"path {path} is not a clip: its content must be one of {', '.join(get_args(Format))}"
        )
    return found


def _format(start: bytes) -> Format | None:
    if start[:6] in (b"GIF87a", b"GIF89a"):
        return "gif"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if start.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if start.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "webp"
    # The same container holds still pictures, which no video reader here understands.
    stills = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"msf1")
    if start[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip") and start[8:12] not in stills:
        return "mp4"
    return None
