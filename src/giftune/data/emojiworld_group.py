"""Clips of EmojiWorld with several subjects that pass behind each other."""

from collections.abc import Iterator, Sequence

from giftune.emojiworld.captions import parse
from giftune.emojiworld.group import make_group_clip
from giftune.methods.base import EditTask


class EmojiWorldGroup:
    """One task; `kind` is crossing or family, the first of `subjects` is the one that the caption names.

    Raises `InputError` for what the world has not.
    """

    def __init__(
        self,
        kind: str,
        subjects: str | Sequence[str],
        background: str,
        style: str,
        num_frames: int,
        size: int,
        seed: int = 0,
        prompts: Sequence[str] = (),
    ) -> None:
        self.world = make_group_clip(kind, subjects, background, style, num_frames, seed, size)
        self.prompts = tuple(prompts)

    def __iter__(self) -> Iterator[EditTask]:
        world = self.world
        # no `centres`: nobody is the one to follow; no `flow`: the warp error takes the faster for the nearer
        truth = {"depth": world.depth, "counts": world.counts}
        yield EditTask(world.clip, world.caption, self.prompts, world.mask, truth=truth, asked=parse)
