"""One way in for every kind of clip."""

from dataclasses import dataclass
from pathlib import Path

from giftune.clip import Clip, Selection
from giftune.io.frames import DEFAULT_FPS, frames_header, read_frames
from giftune.io.gif import read_gif
from giftune.io.gif_blocks import gif_header
from giftune.io.header import Header, sniff
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.picture import FORMATS as PICTURES
from giftune.io.picture import picture_header, read_picture
from giftune.io.video import read_video
from giftune.io.video_header import video_header


@dataclass(frozen=True)
class ClipInfo:
    """What `giftune info` shows: `duration_ms` is the playing time of one pass."""

    width: int
    height: int
    num_frames: int
    duration_ms: int
    loop: int | None
    format: str


def read_clip(
    path: str | Path,
    *,
    num_frames: int | None = None,
    start: int = 0,
    stride: int | None = 1,
    fps: int | float = DEFAULT_FPS,
    limits: Limits = DEFAULT_LIMITS,
) -> Clip:
    """Read a GIF, video, picture or folder of pictures by its content, keeping only the wanted frames.

    `fps` matters for folders, which have no timing. Raises InputError for anything that cannot be used.
    """
    path = Path(path)
    selection = Selection(num_frames, start, stride)
    if path.is_dir():
        return read_frames(path, fps, limits, selection)
    found = sniff(path, limits)
    if found == "gif":
        return read_gif(path, limits, selection)
    if found in PICTURES:
        return read_picture(path, limits, selection)
    return read_video(path, limits, selection)


def probe(path: str | Path, limits: Limits = DEFAULT_LIMITS) -> ClipInfo:
    """Describe a clip from its headers."""
    header = _header(Path(path), limits)
    return ClipInfo(
        width=header.width,
        height=header.height,
        num_frames=len(header.durations_ms),
        duration_ms=sum(header.durations_ms),
        loop=header.loop,
        format=header.format,
    )


def _header(path: Path, limits: Limits) -> Header:
    if path.is_dir():
        return frames_header(path, limits=limits)
    found = sniff(path, limits)
    if found == "gif":
        return gif_header(path, limits)
    return picture_header(path, limits) if found in PICTURES else video_header(path, limits)
