from giftune.data.clip_source import ClipSource, Skip, Unusable
from giftune.data.emojiworld_clips import EmojiWorldClips
from giftune.errors import InputError


def test_what_is_of_no_use_says_why():
    skip = Skip("a.gif", "broken", "a.gif is broken.")
    error = Unusable(skip)
    assert isinstance(error, InputError) and str(error) == "a.gif is broken." and error.skip == skip


def test_the_toy_world_is_a_source():
    assert isinstance(EmojiWorldClips(), ClipSource)
