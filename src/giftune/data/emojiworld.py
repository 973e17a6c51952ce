"""The embedded default: one clip that EmojiWorld draws, with its caption."""

from collections.abc import Iterator, Sequence

from giftune.emojiworld.captions import parse
from giftune.emojiworld.world import make_clip
from giftune.methods.base import EditTask


class EmojiWorld:
    """One task; `seed` places the subject and draws the details. `InputError` for what the world has not."""

    def __init__(
        self,
        subject: str,
        background: str,
        style: str,
        motion: str,
        num_frames: int,
        size: int,
        seed: int = 0,
        prompts: Sequence[str] = (),
    ) -> None:
        self.world = make_clip(subject, background, style, motion, num_frames, seed, size)
        self.prompts = tuple(prompts)

    def __iter__(self) -> Iterator[EditTask]:
        world = self.world
        truth = {"flow": world.flow, "centres": world.centres, "depth": world.depth}
        yield EditTask(world.clip, world.caption, self.prompts, world.mask, truth=truth, asked=parse)
