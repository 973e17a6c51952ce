from collections import Counter

import pytest
import torch

from giftune.emojiworld.captions import parse, words
from giftune.emojiworld.davis import TAKES
from giftune.emojiworld.group import KINDS, GroupClip
from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.oracle import load_oracle


def test_as_many_clips_and_edits_as_the_benchmark_of_tune_a_video() -> None:
    assert len(TAKES) == len({take.name for take in TAKES}) == 42
    assert Counter(kind for take in TAKES for _, kind in take.edits) == dict.fromkeys(
        ("object", "background", "style", "multiple"), 35
    )
    kinds = {
        "crossing": "crossing",
        "family": "crossing",
        "pan-jump": "pan",
        "pan-dance": "pan",
        "pan-run": "pan",
    }
    assert set(Counter(kinds.get(take.shot, take.shot) for take in TAKES).values()) == {6}
    for take in TAKES:
        assert len({prompt for prompt, _ in take.edits} | {take.caption}) == len(take.edits) + 1


def test_every_edit_changes_what_its_type_says() -> None:
    for take in TAKES:
        before = parse(take.caption)
        assert before == {"subject": take.subjects[0], "background": take.background, "style": "plain"}
        for prompt, kind in take.edits:
            asked = parse(prompt)
            changed = [name for name in asked if asked[name] != before[name]]
            if kind == "multiple":
                assert len(changed) == 2
            else:
                assert changed == [{"object": "subject"}.get(kind, kind)]


def test_nothing_that_the_models_have_not_learnt() -> None:
    known = set(words())
    for take in TAKES:
        for prompt in [take.caption, *(prompt for prompt, _ in take.edits)]:
            assert set(prompt.replace(",", "").split()) <= known
            asked = parse(prompt)
            # of a crossing the other one stays, whatever becomes of the one that is named
            for subject in {asked["subject"], *take.subjects[1:]}:
                assert not is_held_out(subject, asked["background"], asked["style"]), prompt


def test_who_crosses_whom_is_not_changed() -> None:
    for take in TAKES:
        for prompt, _ in take.edits if take.shot == "crossing" else ():
            assert parse(prompt)["subject"] == take.subjects[0]


def test_a_clip_is_always_the_same_and_as_asked() -> None:
    for take in (TAKES[0], TAKES[30], TAKES[-1]):
        one, other = take.film(4, 32), take.film(4, 32)
        assert torch.equal(one.clip.frames, other.clip.frames) and one.clip.frames.shape == (4, 3, 32, 32)
        assert isinstance(one, GroupClip) == (take.shot in KINDS)
        assert one.caption == take.caption


@pytest.mark.slow
def test_the_oracle_knows_every_frame_and_nobody_leaves_the_picture() -> None:
    oracle = load_oracle()
    for take in TAKES:
        made = take.film()
        verdict = oracle.judge(made.clip.frames)
        assert verdict.background == [take.background] * 8 and verdict.style == ["plain"] * 8
        area = made.mask.sum(dim=(1, 2))
        if take.shot in KINDS:
            assert made.counts.min() < made.counts[0] == made.counts[-1], "somebody is hidden for a while"
        else:
            assert verdict.subject == [take.subject] * 8
            assert (verdict.centres * 64 - made.centres).norm(dim=1).max() < 2
            assert take.shot == "approach" or area.min() > 0.9 * area.max()
