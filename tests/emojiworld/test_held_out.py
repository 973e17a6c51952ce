from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.held_out import SUBJECT_BACKGROUND, SUBJECT_STYLE, is_held_out
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES


def test_pairs_exist_and_leave_every_part_to_be_seen() -> None:
    assert len(SUBJECT_BACKGROUND) >= 12 and len(SUBJECT_STYLE) >= 6
    assert all(s in SUBJECTS and b in BACKGROUNDS for s, b in SUBJECT_BACKGROUND)
    assert all(s in SUBJECTS and t in STYLES for s, t in SUBJECT_STYLE)
    for background in BACKGROUNDS:
        assert sum(b == background for _, b in SUBJECT_BACKGROUND) < len(SUBJECTS) / 2


def test_is_held_out_needs_the_pair_not_its_parts() -> None:
    assert is_held_out("rabbit", "moon", "plain") and is_held_out("rabbit", "grass", "sketch")
    assert not is_held_out("rabbit", "grass", "plain") and not is_held_out("fox", "moon", "sketch")
