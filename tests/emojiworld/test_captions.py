import numpy as np

from giftune.emojiworld.captions import caption, sample_caption, words


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
