"""EmojiDAVIS-42: the clips and edits of the offline twin of Tune-A-Video's benchmark (42 clips, 140 edits).

Each of seven motions has six clips, and each type of edit is asked for 35 times. The choice is ours; none
holds a pair that the shipped text-to-image model never saw.
"""

from typing import Any, NamedTuple

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import caption
from giftune.emojiworld.group import KINDS, GroupClip, make_group_clip
from giftune.emojiworld.shots import SHOTS, make_shot
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.world import WorldClip, make_clip

SEED = 450  # of the first clip; of twenty tried the one with which the picture cuts off least of the subjects


class Take(NamedTuple):
    """A clip, and for each type of edit what it changes to; "" where that type is not asked for."""

    shot: str
    subject: str  # of a crossing the nearer and the farther one
    background: str
    object: str
    place: str
    style: str
    multiple: str  # two changes

    @property
    def name(self) -> str:
        return "-".join([*self.subjects, self.shot])

    @property
    def subjects(self) -> list[str]:
        return self.subject.split(" + ")

    @property
    def motion(self) -> str:
        """Whose verbs say it."""
        if self.shot in SHOTS:
            return SHOTS[self.shot].motion
        return "run" if self.shot in KINDS else self.shot

    @property
    def caption(self) -> str:
        return self._said({})

    @property
    def edits(self) -> list[tuple[str, str]]:
        """Prompts with their types."""
        asked = {"object": self.object, "background": self.place, "style": self.style,
                 "multiple": self.multiple}  # fmt: skip
        return [(self._said(_changes(words)), kind) for kind, words in asked.items() if words]

    def _said(self, changes: dict[str, str]) -> str:
        here = {"subject": self.subjects[0], "background": self.background, "style": "plain"}
        return caption(**(here | changes), motion=self.motion)

    def film(self, num_frames: int = 8, size: int = 64) -> WorldClip | GroupClip:
        """Always the same clip; its place in the table goes into the seed."""
        setting = (self.background, "plain")
        how: dict[str, Any] = {"num_frames": num_frames, "seed": SEED + TAKES.index(self), "size": size}
        if self.shot in KINDS:
            return make_group_clip(self.shot, self.subjects, *setting, **how)
        if self.shot in SHOTS:
            return make_shot(self.shot, self.subject, *setting, **how)
        return make_clip(self.subject, *setting, self.shot, **how)


def _changes(words: str) -> dict[str, str]:
    """Which attribute each word is a value of."""
    return {
        "subject" if word in SUBJECTS else "background" if word in BACKGROUNDS else "style": word
        for word in words.split(" + ")
    }


TAKES = (
    Take("jump", "rabbit", "grass", "panda", "beach", "pixel art", "fox + desert"),
    Take("jump", "frog", "grass", "rabbit", "snow", "sketch", ""),
    Take("jump", "penguin", "snow", "chick", "beach", "sunset", "koala + pixel art"),
    Take("jump", "dog", "beach", "lion", "forest", "", "robot + city"),
    Take("jump", "lion", "desert", "bear", "", "pixel art", "turtle + beach"),
    Take("jump", "robot", "moon", "", "city", "sketch", "octopus + sunset"),
    Take("run", "fox", "forest", "dog", "beach", "pixel art", "lion + city"),
    Take("run", "robot", "city", "fox", "desert", "sunset", ""),
    Take("run", "car", "city", "dog", "desert", "", "robot + grass"),
    Take("run", "pig", "grass", "panda", "", "sketch", "unicorn + snow"),
    Take("run", "bear", "beach", "rabbit", "snow", "pixel art", "penguin + sketch"),
    Take("run", "turtle", "beach", "", "grass", "sunset", "frog + forest"),
    Take("roll", "panda", "snow", "bear", "grass", "sunset", "octopus + beach"),
    Take("roll", "chick", "beach", "fox", "desert", "sketch", ""),
    Take("roll", "turtle", "desert", "lion", "ocean", "", "panda + moon"),
    Take("roll", "octopus", "beach", "chick", "", "sunset", "bear + forest"),
    Take("roll", "lion", "grass", "turtle", "beach", "pixel art", "fox + sunset"),
    Take("roll", "bear", "moon", "", "snow", "sketch", "lion + pixel art"),
    Take("approach", "koala", "snow", "pig", "forest", "sketch", "dog + beach"),
    Take("approach", "unicorn", "grass", "fox", "moon", "sunset", ""),
    Take("approach", "car", "desert", "bear", "city", "", "robot + snow"),
    Take("approach", "octopus", "ocean", "turtle", "", "sketch", "rabbit + forest"),
    Take("approach", "pig", "beach", "koala", "grass", "sunset", "frog + sketch"),
    Take("approach", "dog", "city", "unicorn", "snow", "pixel art", ""),
    Take("fly", "unicorn", "moon", "robot", "ocean", "pixel art", "penguin + city"),
    Take("fly", "chick", "ocean", "penguin", "grass", "sketch", ""),
    Take("fly", "turtle", "ocean", "octopus", "desert", "", "rabbit + snow"),
    Take("fly", "robot", "desert", "unicorn", "", "sunset", "car + forest"),
    Take("fly", "penguin", "ocean", "fox", "moon", "sunset", "unicorn + pixel art"),
    Take("fly", "koala", "city", "dog", "beach", "sunset", ""),
    # who is crossed by whom cannot be said, so no edit changes one of the two
    Take("crossing", "bear + fox", "city", "", "beach", "sketch", "grass + pixel art"),
    Take("crossing", "lion + panda", "grass", "", "desert", "sunset", "forest + sketch"),
    Take("crossing", "pig + rabbit", "beach", "", "grass", "pixel art", "city + sunset"),
    Take("crossing", "dog + penguin", "snow", "", "forest", "sunset", "beach + sketch"),
    Take("family", "panda", "grass", "bear", "snow", "sketch", "dog + city"),
    Take("family", "frog", "forest", "rabbit", "grass", "sketch", "lion + desert"),
    Take("pan-jump", "rabbit", "snow", "dog", "forest", "sunset", "koala + city"),
    Take("pan-jump", "frog", "desert", "chick", "beach", "", "bear + pixel art"),
    Take("pan-dance", "bear", "city", "panda", "forest", "pixel art", "fox + desert"),
    Take("pan-dance", "koala", "forest", "lion", "", "sunset", "octopus + city"),
    Take("pan-run", "fox", "moon", "pig", "", "sunset", "rabbit + beach"),
    Take("pan-run", "car", "city", "bear", "beach", "", "unicorn + desert"),
)
