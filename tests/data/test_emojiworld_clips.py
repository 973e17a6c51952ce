import pytest

from giftune.data.emojiworld_clips import EmojiWorldClips
from giftune.data.seeded import seeded
from giftune.emojiworld.captions import parse
from giftune.emojiworld.held_out import SUBJECT_BACKGROUND, SUBJECT_STYLE
from giftune.emojiworld.motions import MOTIONS
from giftune.errors import InputError

SMALL = {"num_frames": 2, "size": 16}


def named(example):
    """What a clip's name says that it shows, but for its number."""
    return example.name.split("-", 1)[1]


def test_held_out_pairs_come_only_when_asked_for():
    for asked in (False, True):
        combinations = EmojiWorldClips(**SMALL, held_out=asked).combinations
        assert len(set(combinations)) == len(combinations)
        pairs = {(subject, background) for subject, background, _, _ in combinations}
        styles = {(subject, style) for subject, _, style, _ in combinations}
        assert SUBJECT_BACKGROUND.isdisjoint(pairs) is not asked
        assert SUBJECT_STYLE.isdisjoint(styles) is not asked
    subjects, backgrounds, looks, motions = map(set, zip(*combinations, strict=True))
    assert len(combinations) == len(subjects) * len(backgrounds) * len(looks) * len(motions)


def test_captions_say_what_is_shown_and_how_it_moves():
    source = EmojiWorldClips(**SMALL)
    seen = set()
    for number in range(40):
        example = source.read(number, seeded(0))
        says = parse(example.caption)
        motion = next(motion for motion in MOTIONS if f"-{motion}-" in named(example))
        assert any(verb in example.caption for verb in MOTIONS[motion].verbs)
        shown = f"{says['subject']}-{motion}-{says['background']}-{says['style']}".replace(" ", "-")
        assert named(example) == shown
        seen.add(motion)
    assert seen == set(MOTIONS)


def test_a_clip_is_a_function_of_seed_and_number():
    first, again, other = (EmojiWorldClips(**SMALL, seed=seed) for seed in (3, 3, 4))
    one, two = first.read(5, seeded(0)), again.read(5, seeded(1))
    assert one.caption == two.caption and one.clip.content_hash() == two.clip.content_hash()
    hashes = {first.read(number, seeded(0)).clip.content_hash() for number in range(12)}
    assert len(hashes) == 12 and other.read(5, seeded(0)).clip.content_hash() not in hashes


def test_some_motions_and_some_clips():
    source = EmojiWorldClips(**SMALL, motions=["fly"], num_clips=7)
    assert source.count == 7 and {motion for *_, motion in source.combinations} == {"fly"}
    assert EmojiWorldClips(**SMALL).count is None
    example = EmojiWorldClips(num_frames=3, size=32).read(0, seeded(0))
    assert example.clip.frames.shape == (3, 3, 32, 32)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_frames": 1}, r"corpus\.num_frames is 1"),
        ({"num_clips": 0}, r"corpus\.num_clips is 0"),
        ({"size": 8}, r"corpus\.size is 8"),
        ({"motions": []}, r"corpus\.motions is empty"),
        ({"motions": ["swim"]}, r"corpus\.motions 'swim' is not in EmojiWorld; choose one of jump"),
    ],
)
def test_refuses(settings, sentence):
    with pytest.raises(InputError, match=sentence):
        EmojiWorldClips(**settings)


def test_kept_clips_are_drawn_once(monkeypatch):
    fresh = EmojiWorldClips(**SMALL, num_clips=3)
    kept = EmojiWorldClips(**SMALL, num_clips=3, keep=True)
    first = [kept.read(number, seeded(0)) for number in range(3)]
    monkeypatch.setattr("giftune.data.emojiworld_clips.make_clip", None)
    for number in range(3):
        assert kept.read(number, seeded(1)) is first[number]
    with pytest.raises(TypeError):
        fresh.read(0, seeded(0))


def test_endless_clips_cannot_be_kept():
    with pytest.raises(InputError, match=r"corpus\.keep is true, but corpus\.num_clips is null"):
        EmojiWorldClips(**SMALL, keep=True)
