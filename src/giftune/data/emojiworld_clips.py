"""EmojiWorld as a source of clips to learn from, each drawn when it is asked for."""

from collections.abc import Sequence
from functools import cache
from itertools import product

import numpy as np
from torch import Generator

from giftune.data.clip_source import Skip
from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import sample_caption
from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES
from giftune.emojiworld.world import make_clip, require_known
from giftune.errors import InputError
from giftune.methods.base import Example


class EmojiWorldClips:
    """Clip number k is a function of `seed` and k; its caption always says the motion.

    Every combination of subject, background, style and motion is as likely as any other, but those that the
    embedded model never saw do not come unless `held_out`. With `num_clips` None there is no end; with `keep`
    clips stay in memory once they were drawn, 0.4 MB for 8 frames of 64 x 64.
    """

    digest = ""
    left_out: Sequence[Skip] = ()

    def __init__(
        self,
        num_frames: int = 8,
        size: int = 64,
        num_clips: int | None = None,
        seed: int = 0,
        motions: Sequence[str] | None = None,
        held_out: bool = False,
        keep: bool = False,
    ) -> None:
        checks = (("num_frames", num_frames, 2), ("size", size, 16), ("num_clips", num_clips, 1))
        for name, value, least in checks:
            if value is not None and value < least:
                raise InputError(f"corpus.{name} is {value}, it must be at least {least}.")
        motions = list(MOTIONS) if motions is None else list(motions)
        if not motions:
            raise InputError(f"corpus.motions is empty, it must name some of {', '.join(MOTIONS)}.")
        require_known(*(("corpus.motions", motion, MOTIONS) for motion in motions))
        self.num_frames, self.size, self.count, self.seed = num_frames, size, num_clips, seed
        if keep and num_clips is None:
            raise InputError(
                "corpus.keep is true, but corpus.num_clips is null: clips without end cannot be kept."
            )
        self._read = cache(self._draw) if keep else self._draw
        self.combinations = [
            (subject, background, style, motion)
            for subject, background, style, motion in product(SUBJECTS, BACKGROUNDS, STYLES, motions)
            if held_out or not is_held_out(subject, background, style)
        ]

    def read(self, number: int, generator: Generator) -> Example:
        del generator  # all of the clip is shown, so there is no place in it to choose
        return self._read(number)

    def _draw(self, number: int) -> Example:
        rng = np.random.default_rng((self.seed, number))
        chosen = self.combinations[rng.integers(len(self.combinations))]
        world = make_clip(*chosen, self.num_frames, seed=int(rng.integers(2**31)), size=self.size)
        return Example(world.clip, _caption(*chosen, rng), f"{number}-{world.clip.name}")


def _caption(subject: str, background: str, style: str, motion: str, rng: np.random.Generator) -> str:
    """One of the grammar's phrasings, but for those without a verb, which are drawn again."""
    while True:
        text = sample_caption(subject, background, style, motion, rng)
        if any(verb in text for verb in MOTIONS[motion].verbs):
            return text
