"""Which frames of a clip on disk are used, and how they become what the model sees."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from giftune.clip import Clip, Selection
from giftune.data.framing import Fit, Framing
from giftune.errors import InputError
from giftune.io.frames import DEFAULT_FPS, frame_files
from giftune.io.masks import read_masks
from giftune.io.read import probe, read_clip
from giftune.methods.base import EditTask


@dataclass(kw_only=True)
class Excerpt:
    """What all data sets of real clips share, for a model that works at about `size` x `size` pixels.

    With `num_frames` None all frames are taken, at most `max_frames`; with `stride` None they are spread over
    the whole clip. A `size` of None is the clip's own; `square` gives up its aspect ratio.
    """

    num_frames: int | None = None
    max_frames: int = 24
    start: int = 0
    stride: int | None = None
    size: int | None = 512
    multiple: int = 32
    fit: Fit = "pad"
    square: bool = False
    fps: float = DEFAULT_FPS

    def selection(self, path: str | Path) -> Selection:
        """The frames to use; raises `InputError` for a clip that has too few."""
        total = probe(path).num_frames
        available = max(0, -(-(total - self.start) // (self.stride or 1)))
        num_frames = min(self.max_frames, available) if self.num_frames is None else self.num_frames
        if total < 2 or num_frames < 2:
            taken = f", of which {num_frames} would be used" if total > 1 else ""
            raise InputError(f"path {path} has {total} frame(s){taken}; motion needs at least 2.")
        selection = Selection(num_frames, self.start, self.stride)
        selection.indices(total, f"path {path}")
        return selection

    def chosen(self, folder: Path) -> list[str]:
        """The names, without their endings, of the pictures in a folder that are used."""
        files = frame_files(folder)
        return [files[i].stem for i in self.selection(folder).indices(len(files), f"path {folder}")]

    def task(
        self,
        path: str | Path,
        caption: str,
        prompts: Sequence[str],
        types: Mapping[str, str] | None = None,
        masks: Path | None = None,
    ) -> EditTask:
        """What there is to edit; `masks` is a folder of masks, of the names that the frames have.

        Raises `InputError` for a clip without motion, that cannot be read, or that its masks do not fit.
        """
        wanted = self.selection(path)
        source = read_clip(
            path, num_frames=wanted.num_frames, start=wanted.start, stride=wanted.stride, fps=self.fps
        )
        framing = Framing.around(source, self.size, self.multiple, self.fit, self.square)
        mask = None
        if masks is not None:
            labels = torch.from_numpy(read_masks(masks, self.chosen(Path(path))))
            mask = framing.apply_mask(_fitting(labels > 0, source, masks).float())
        framed = framing.apply(source)
        return EditTask(
            framed, caption, tuple(prompts), mask, source, framing.restore, framing.apply, types=types or {}
        )


def _fitting(mask: torch.Tensor, source: Clip, masks: Path) -> torch.Tensor:
    if mask.shape[1:] != (source.height, source.width):
        height, width = mask.shape[1:]
        raise InputError(
            f"path {masks} has masks of {width} x {height} for frames of {source.width} x {source.height}."
        )
    return mask
