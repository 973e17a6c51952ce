"""EmojiDAVIS-42, the offline twin of the DAVIS benchmark: clips of EmojiWorld, with their truth."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from numpy import ndarray

from giftune.data.collection import chosen
from giftune.data.sheet import Entry, entry, write_sheet
from giftune.emojiworld.captions import parse
from giftune.emojiworld.davis import TAKES, Take
from giftune.emojiworld.group import GroupClip
from giftune.emojiworld.world import WorldClip
from giftune.errors import InputError
from giftune.io.atomic import write_text
from giftune.io.frames import write_frames
from giftune.io.masks import write_masks
from giftune.methods.base import EditTask

TRACE = 0.05  # of a subject in a pixel: where metrics of the background say that it begins
SHEET = "prompts.yaml"


class EmojiDavis:
    """One task for each of `entries`, drawn when it is its turn; `clip` chooses one by its name."""

    def __init__(self, num_frames: int = 8, size: int = 64, clip: str | None = None) -> None:
        if num_frames < 2:
            raise InputError(f"data.num_frames is {num_frames}, motion needs at least 2.")
        self.num_frames, self.size = num_frames, size
        self.takes = {take.name: take for take in TAKES}
        self.entries = chosen(tuple(_entry(take) for take in TAKES), clip)

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[EditTask]:
        for each in self.entries:
            world = self._film(each)
            known = ("depth", "counts") if isinstance(world, GroupClip) else ("depth", "flow", "centres")
            truth = {name: getattr(world, name) for name in known}
            yield EditTask(
                world.clip, each.caption, each.prompts, world.mask, truth=truth, asked=parse, types=each.types
            )

    def write(self, folder: str | Path) -> None:
        """Write everything in the layout of DAVIS, with the sheet as `prompts.yaml`.

        Raises `InputError` for a folder that cannot be made, or holds these clips already.
        """
        folder = Path(folder)
        frames, masks = (folder / kind / "480p" for kind in ("JPEGImages", "Annotations"))
        sets = folder / "ImageSets" / "2017"
        try:
            for needed in (frames, masks, sets):
                needed.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"folder {folder} cannot be made: {error.strerror}.") from error
        for each in self.entries:
            world = self._film(each)
            write_frames(world.clip, frames / each.name, ".jpg")
            write_masks(_labels(world), masks / each.name)
        write_text(sets / "val.txt", "".join(f"{each.name}\n" for each in self.entries))
        write_sheet(self.entries, folder / SHEET)

    def _film(self, each: Entry) -> WorldClip | GroupClip:
        world = self.takes[each.name].film(self.num_frames, self.size)
        return world._replace(clip=replace(world.clip, name=each.name))


def _entry(take: Take) -> Entry:
    return entry("EmojiDAVIS-42", take.name, take.caption, take.edits)


def _labels(world: WorldClip | GroupClip) -> UInt8[ndarray, "f h w"]:
    """The number of the subject that covers most of a pixel, 0 where there is hardly any."""
    masks = world.masks if isinstance(world, GroupClip) else world.mask[:, None]
    numbers = torch.where(world.mask >= TRACE, masks.argmax(dim=1) + 1, 0)
    return numbers.numpy().astype(np.uint8)
