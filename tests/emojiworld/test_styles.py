import numpy as np

from giftune.emojiworld.styles import STYLES, pixel_art, sketch, sunset

NOISE = np.random.default_rng(0).uniform(size=(64, 64, 3)).astype(np.float32)


def test_every_style_keeps_shape_and_range() -> None:
    for style in STYLES.values():
        styled = style(NOISE)
        assert styled.shape == NOISE.shape and styled.dtype == np.float32
        assert styled.min() >= 0 and styled.max() <= 1


def test_pixel_art_has_one_colour_a_block() -> None:
    blocks = pixel_art(NOISE).reshape(16, 4, 16, 4, 3)
    assert np.ptp(blocks, axis=(1, 3)).max() < 1e-6
    assert np.ptp(blocks[:, 0, :, 0]) > 0.1


def test_sketch_draws_a_dark_line_at_an_edge_and_paper_elsewhere() -> None:
    edge = np.ones((16, 16, 3), dtype=np.float32)
    edge[:, 8:] = 0
    drawn = sketch(edge).mean(axis=2)
    assert drawn[:, 7:9].max() < 0.5 < drawn[:, :6].min()
    assert drawn[:, 10:].min() > 0.5, "even black becomes a pale wash"


def test_sunset_is_warmer() -> None:
    warmth = lambda picture: (picture[..., 0] - picture[..., 2]).mean()  # noqa: E731
    assert warmth(sunset(NOISE)) > warmth(NOISE) + 0.1
