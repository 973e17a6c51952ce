"""Size and frame times of a video, from its packets and its first frame."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from giftune.errors import InputError
from giftune.io.header import Header, sniff
from giftune.io.limits import Limits
from giftune.io.timing import whole

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

# Only these readers: others of ffmpeg follow links to further files.
_READERS = {"mp4": "mov", "webm": "matroska"}
FORMATS = tuple(_READERS)
# Writers round the duration of a stream; a file cut off misses more than this.
_SLACK_S = Fraction(1, 4)


@dataclass(frozen=True)
class VideoHeader(Header):
    """A header that also knows when each frame is shown, in ticks of the stream."""

    ticks: tuple[int, ...]


@contextmanager
def open_video(path: Path, limits: Limits) -> "Iterator[tuple[InputContainer, VideoStream]]":
    """The container and its first video stream; what ffmpeg raises becomes InputError."""
    import av

    found = sniff(path, limits)
    if found not in FORMATS:
        raise InputError(f"path {path} is not a video: its content must be one of {', '.join(FORMATS)}")
    try:
        with av.open(str(path), format=_READERS[found]) as container:
            if not container.streams.video:
                raise InputError(f"path {path} has no video stream")
            yield container, container.streams.video[0]
    except av.FFmpegError as error:
        raise InputError(f"path {path} is truncated or damaged: {error.strerror}") from error


def video_header(path: Path, limits: Limits) -> VideoHeader:
    """List the frames of a video; raises InputError for a file cut off before its stated end."""
    shown: list[tuple[int, int]] = []
    ends: dict[int, Fraction] = {}
    whole_packets = True
    with open_video(path, limits) as (container, stream):
        limits.check_side(path, stream.codec_context.width, stream.codec_context.height)
        unit, own = stream.time_base or Fraction(1, 1000), stream.index
        for packet in container.demux():
            tick, length = packet.pts if packet.pts is not None else packet.dts, packet.duration or 0
            if not packet.size or tick is None:
                continue
            index, end = packet.stream.index, (tick + length) * (packet.time_base or Fraction(1, 1000))
            ends[index] = max(end, ends.get(index, end))
            if index == own:
                whole_packets = whole_packets and not packet.is_corrupt
                if not packet.is_discard:
                    shown.append((tick, length))
        if not shown or not whole_packets:
            raise InputError(
                f"path {path} is truncated or damaged: it has {len(shown)} frames, not all whole"
            )
        _check_end(path, container, stream, ends)
    shown.sort()
    ticks = tuple(tick for tick, _ in shown)
    steps = [b - a for a, b in pairwise(ticks)]
    steps.append(shown[-1][1] or (steps[-1] if steps else 1))
    width, height = _upright_size(path, limits)
    durations = whole(float(1000 * unit * step) for step in steps)
    return VideoHeader(width, height, durations, 0, sniff(path, limits), ticks)


def _check_end(
    path: Path, container: "InputContainer", stream: "VideoStream", ends: dict[int, Fraction]
) -> None:
    """Compare the last packets with the duration stated for the video or, failing that, for all streams."""
    if stream.duration is not None and stream.time_base is not None:
        stated, end = stream.duration * stream.time_base, ends[stream.index]
    elif container.duration is not None:
        stated, end = Fraction(container.duration, 1_000_000), max(ends.values())
    else:
        return
    if end < stated - _SLACK_S:
        raise InputError(f"path {path} is truncated: it ends at {float(end):.2f} s of {float(stated):.2f} s")


def _upright_size(path: Path, limits: Limits) -> tuple[int, int]:
    """Width and height as shown: phones store upright videos lying, and only a decoded frame says so."""
    # Opened anew, because not every file can be wound back.
    with open_video(path, limits) as (container, stream):
        for frame in container.decode(stream):
            return (frame.height, frame.width) if frame.rotation % 180 else (frame.width, frame.height)
    raise InputError(f"path {path} is damaged: no frame can be decoded")
