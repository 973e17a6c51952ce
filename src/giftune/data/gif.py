"""A clip on disk with its caption: a GIF, a video, or a folder of pictures."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from giftune.data.framing import Fit, Framing
from giftune.errors import InputError
from giftune.io.frames import DEFAULT_FPS
from giftune.io.read import probe, read_clip
from giftune.methods.base import EditTask


class Gif:
    """One task, framed for a model that works at about `size` x `size` pixels; None is the clip's own size.

    With `num_frames` None all frames are taken, at most `max_frames`; with `stride` None they are spread over
    the whole clip. Raises `InputError` for a clip without motion, without caption, or that cannot be read.
    """

    def __init__(
        self,
        path: str | Path,
        prompt: str,
        num_frames: int | None = None,
        max_frames: int = 24,
        start: int = 0,
        stride: int | None = None,
        size: int | None = 512,
        multiple: int = 32,
        fit: Fit = "pad",
        fps: float = DEFAULT_FPS,
        prompts: Sequence[str] = (),
    ) -> None:
        if not prompt.strip():
            raise InputError(
                'data.prompt is empty, it must say what the clip shows: data.prompt="a cat is running".'
            )
        total = probe(path).num_frames
        available = max(0, -(-(total - start) // (stride or 1)))
        num_frames = min(max_frames, available) if num_frames is None else num_frames
        if total < 2 or num_frames < 2:
            taken = f", of which {num_frames} would be used" if total > 1 else ""
            raise InputError(f"path {path} has {total} frame(s){taken}; motion needs at least 2.")
        self.source = read_clip(path, num_frames=num_frames, start=start, stride=stride, fps=fps)
        self.framing = Framing.around(self.source, size, multiple, fit)
        self.prompt, self.prompts = prompt.strip(), tuple(prompts)

    def __iter__(self) -> Iterator[EditTask]:
        apply, restore = self.framing.apply, self.framing.restore
        clip = apply(self.source)
        yield EditTask(clip, self.prompt, self.prompts, None, self.source, restore, apply)
