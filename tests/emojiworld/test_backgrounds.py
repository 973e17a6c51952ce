import numpy as np
import pytest

from giftune.emojiworld.backgrounds import BACKGROUNDS, HORIZON_DEPTH, look_aside, paint_background


@pytest.mark.parametrize("name", BACKGROUNDS)
def test_picture_and_depth_agree_with_the_horizon(name: str) -> None:
    picture, depth = paint_background(name, 64, 0.5, np.random.default_rng(0))
    assert picture.shape == (64, 64, 3) and picture.min() >= 0 and picture.max() <= 1
    assert depth[-1].min() > 0.97, "the bottom row is nearest"
    assert set(np.unique(depth[:30])) <= {0.0, np.float32(HORIZON_DEPTH)}, (
        "above: sky or things at the horizon"
    )
    assert (np.diff(depth[33:, 0]) > 0).all(), "the ground comes nearer towards the bottom"


def test_same_generator_same_picture_and_other_generator_other_details() -> None:
    first, _ = paint_background("city", 32, 0.5, np.random.default_rng(1))
    again, _ = paint_background("city", 32, 0.5, np.random.default_rng(1))
    other, _ = paint_background("city", 32, 0.5, np.random.default_rng(2))
    assert (first == again).all() and (first != other).any()


def test_backgrounds_differ_from_each_other() -> None:
    means = [paint_background(n, 32, 0.5, np.random.default_rng(0))[0].mean(axis=(0, 1)) for n in BACKGROUNDS]
    gaps = [np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]]
    assert min(gaps) > 0.03


def test_looking_aside_goes_on_with_the_mirror_image_for_ever() -> None:
    view = np.random.default_rng(0).uniform(size=(4, 6, 3)).astype(np.float32)
    around = np.concatenate([view, view[:, ::-1]], axis=1)
    for columns in (-13, -6, -1, 0, 2, 6, 11, 25):
        expected = np.stack([around[:, (columns + i) % 12] for i in range(6)], axis=1)
        np.testing.assert_array_equal(look_aside(view, float(columns)), expected)
        half = (look_aside(view, columns + 0.0) + look_aside(view, columns + 1.0)) / 2
        np.testing.assert_allclose(look_aside(view, columns + 0.5), half, atol=1e-6)
    assert look_aside(view[..., 0], 2.5).shape == (4, 6)
