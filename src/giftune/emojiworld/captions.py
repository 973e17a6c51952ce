"""The caption grammar of EmojiWorld."""

import re
from collections.abc import Iterable
from functools import cache

from numpy.random import Generator

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES

PHRASINGS = (
    "a {subject} is {verb} {place}",
    "a {subject} {verb} {place}",
    "{place}, a {subject} is {verb}",
    "a {subject} {place}",
    "a {subject} is {place}",
)
STYLE_PHRASINGS = ("{scene}, {style} style", "{scene}, {style}", "a {style} picture of {scene}")


def caption(subject: str, background: str, style: str = "plain", motion: str = "jump") -> str:
    """The plainest caption, as a user would write it."""
    scene = PHRASINGS[0].format(
        subject=subject, verb=MOTIONS[motion].verbs[0], place=BACKGROUNDS[background].place
    )
    return scene if style == "plain" else STYLE_PHRASINGS[0].format(scene=scene, style=style)


def sample_caption(subject: str, background: str, style: str, motion: str, rng: Generator) -> str:
    """One of the grammar's phrasings, the plainest half of the time."""
    phrasing = PHRASINGS[0] if rng.uniform() < 0.5 else PHRASINGS[rng.integers(len(PHRASINGS))]
    verb = str(rng.choice(MOTIONS[motion].verbs))
    scene = phrasing.format(subject=subject, verb=verb, place=BACKGROUNDS[background].place)
    if style == "plain":
        return scene
    return str(rng.choice(STYLE_PHRASINGS, p=(0.6, 0.2, 0.2))).format(scene=scene, style=style)


def parse(text: str) -> dict[str, str] | None:
    """The subject, background and style that a caption names, or None if the grammar cannot produce it."""
    scene, style = " ".join(text.lower().split()), "plain"
    for phrasing in STYLE_PHRASINGS:
        if found := _pattern(phrasing).fullmatch(scene):
            scene, style = found["scene"], found["style"]
            break
    for phrasing in PHRASINGS:
        if found := _pattern(phrasing).fullmatch(scene):
            (background,) = (name for name, known in BACKGROUNDS.items() if known.place == found["place"])
            return {"subject": found["subject"], "background": background, "style": style}
    return None


@cache
def _pattern(phrasing: str) -> re.Pattern[str]:
    """A phrasing with every word it may hold in place of each name in braces."""
    names: dict[str, Iterable[str]] = {
        "subject": SUBJECTS,
        "verb": (verb for motion in MOTIONS.values() for verb in motion.verbs),
        "place": (background.place for background in BACKGROUNDS.values()),
        "style": (style for style in STYLES if style != "plain"),
    }
    groups = {name: f"(?P<{name}>{'|'.join(map(re.escape, known))})" for name, known in names.items()}
    return re.compile(phrasing.format(**groups, scene="(?P<scene>.+)"))


def words() -> list[str]:
    """Every word that the grammar can produce, in a fixed order."""
    text = " ".join(
        (
            *PHRASINGS,
            *STYLE_PHRASINGS,
            *SUBJECTS,
            *STYLES,
            *(background.place for background in BACKGROUNDS.values()),
            *(verb for motion in MOTIONS.values() for verb in motion.verbs),
        )
    )
    plain = "".join(" " if character in "{},." else character for character in text)
    return list(dict.fromkeys(plain.split()))
