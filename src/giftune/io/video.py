"""Videos to clips: decord reads the frames, PyAV where it is missing or counts otherwise."""

from contextlib import suppress
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from giftune.clip import Clip, Selection
from giftune.errors import InputError
from giftune.io.limits import DEFAULT_LIMITS, Limits
from giftune.io.video_header import VideoHeader, open_video, video_header


def read_video(path: str | Path, limits: Limits = DEFAULT_LIMITS, selection: Selection | None = None) -> Clip:
    """Read the wanted frames only, upright, each shown as long as in the video (rounded to ms without drift).

    Raises InputError for files that are empty, truncated, damaged, no video, or beyond a limit.
    """
    path = Path(path)
    selection = selection or Selection()
    header = video_header(path, limits)
    indices = selection.indices(len(header.ticks), f"path {path}")
    limits.check(path, width=header.width, height=header.height, num_frames=len(indices))
    pixels = with_decord(path, header, indices)
    if pixels is None:
        pixels = with_pyav(path, header, indices, limits)
    return Clip.from_pixels(pixels, selection.durations(header.durations_ms, indices), header.loop, path.stem)


def with_decord(
    path: Path, header: VideoHeader, indices: tuple[int, ...]
) -> UInt8[np.ndarray, "f h w 3"] | None:
    """The frames by decord, or None when it cannot give exactly the frames that are shown."""
    try:
        import decord  # type: ignore[import-untyped]
    except ImportError:
        return None
    try:
        reader = decord.VideoReader(str(path))
        # decord also counts frames that an edit list hides.
        if len(reader) != len(header.ticks):
            return None
        pixels = reader.get_batch(list(indices)).asnumpy()
    except (decord.DECORDError, RuntimeError, IndexError):
        return None
    return pixels if pixels.shape[1:3] == (header.height, header.width) else None


def with_pyav(
    path: Path, header: VideoHeader, indices: tuple[int, ...], limits: Limits = DEFAULT_LIMITS
) -> UInt8[np.ndarray, "f h w 3"]:
    """The frames by PyAV, decoding from the key frame before the first wanted one to the last."""
    slots = {header.ticks[index]: slot for slot, index in enumerate(indices)}
    last = header.ticks[indices[-1]]
    kept = np.empty((len(indices), header.height, header.width, 3), np.uint8)
    with open_video(path, limits) as (container, stream):
        stream.thread_type = "AUTO"
        if indices[0] > 0:
            # A file without an index cannot be wound; it is then decoded from its start.
            with suppress(OSError):
                container.seek(header.ticks[indices[0]], stream=stream)
        for frame in container.decode(stream):
            slot = slots.pop(frame.pts, None)  # type: ignore[arg-type]
            if slot is not None:
                kept[slot] = np.rot90(frame.to_ndarray(format="rgb24"), frame.rotation // 90)
            if not slots or (frame.pts or 0) > last:
                break
    if slots:
        raise InputError(
            f"path {path} is damaged: {len(slots)} of {len(indices)} wanted frames cannot be decoded"
        )
    return kept
