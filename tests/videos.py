"""Videos for tests, written by PyAV: frames with a position that can be read back."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np


def pictures(num_frames: int, height: int = 48, width: int = 64) -> np.ndarray:
    """Grey frames, each of its own brightness, with a bright top left quarter that shows which way is up."""
    frames = np.zeros((num_frames, height, width, 3), np.uint8)
    frames += np.linspace(20, 160, num_frames).astype(np.uint8)[:, None, None, None]
    frames[:, : height // 2, : width // 2] += 80
    return frames


def write(
    path: Path,
    frames: np.ndarray,
    times_ms: Sequence[int] | None = None,
    codec: str = "mpeg4",
    rotation: int = 0,
    sound_s: float = 0.0,
    **options: str,
) -> Path:
    """Write frames at the given times (25 a second without), the index of an mp4 first."""
    times = times_ms or [40 * k for k in range(len(frames))]
    with av.open(str(path), "w", options={"movflags": "faststart"} if path.suffix == ".mp4" else {}) as out:
        video = out.add_stream(codec, rate=25, options=options)
        video.width, video.height, video.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        video.codec_context.bit_rate = 4_000_000
        if rotation:
            video.set_display_rotation(rotation)
        if sound_s:
            _sound(out, sound_s)
        for picture, time in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode())
    return path


def _sound(out: av.container.OutputContainer, seconds: float) -> None:
    stream = out.add_stream("libopus" if out.format.name == "webm" else "aac", rate=48000, layout="mono")
    for k in range(int(48000 * seconds) // 960):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.float32), format="fltp", layout="mono")
        frame.sample_rate, frame.pts = 48000, 960 * k
        out.mux(stream.encode(frame))
    out.mux(stream.encode())
