from itertools import product

import numpy as np
import pytest

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import (
    PHRASINGS,
    STYLE_PHRASINGS,
    _pattern,
    caption,
    parse,
    sample_caption,
    words,
)
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES


def test_the_plain_caption_reads_as_a_user_would_write_it() -> None:
    assert caption("rabbit", "grass", "pixel art") == "a rabbit is jumping on the grass, pixel art style"
    assert caption("car", "moon", motion="run") == "a car is running on the moon"


def test_sampled_captions_name_what_is_there_in_several_ways() -> None:
    rng = np.random.default_rng(0)
    drawn = {sample_caption("fox", "snow", "sketch", "dance", rng) for _ in range(200)}
    assert len(drawn) > 10
    assert all("fox" in text and "snow" in text and "sketch" in text for text in drawn)


def test_words_cover_the_grammar() -> None:
    known, rng = set(words()), np.random.default_rng(1)
    for style in ("plain", "pixel art", "sunset"):
        for _ in range(100):
            text = sample_caption("pig", "ocean", style, "approach", rng)
            assert set(text.replace(",", "").split()) <= known


def test_parsing_undoes_every_phrasing() -> None:
    verbs = [verb for motion in MOTIONS.values() for verb in motion.verbs]
    for (i, subject), (name, background), style in product(enumerate(SUBJECTS), BACKGROUNDS.items(), STYLES):
        for j, phrasing in enumerate(PHRASINGS):
            verb = verbs[(i + j) % len(verbs)]
            scene = phrasing.format(subject=subject, verb=verb, place=background.place)
            wanted = {"subject": subject, "background": name, "style": style}
            styled = (
                [scene] if style == "plain" else [s.format(scene=scene, style=style) for s in STYLE_PHRASINGS]
            )
            assert [parse(text) for text in styled] == [wanted] * len(styled)
    assert {parse(f"a fox {verb} on the beach")["subject"] for verb in verbs} == {"fox"}


def test_parsing_knows_two_words_as_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert parse("A Fox is  coming closer in the snow, pixel art style")["style"] == "pixel art"
    monkeypatch.setitem(SUBJECTS, "polar bear", "?")
    monkeypatch.setattr("giftune.emojiworld.captions._pattern", _pattern.__wrapped__)
    assert parse("in the snow, a polar bear is running, sketch")["subject"] == "polar bear"


@pytest.mark.parametrize(
    "text",
    ["", "a zebra is jumping on the grass", "a fox is cooking on the grass", "a fox is jumping in the grass",
     "a fox is jumping on the grass, plain style", "two foxes on the grass", "a fox",
     "a sketch picture of a fox"],
)  # fmt: skip
def test_other_sentences_are_not_guessed_at(text: str) -> None:
    assert parse(text) is None
