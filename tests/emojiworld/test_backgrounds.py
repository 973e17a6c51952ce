import numpy as np
import pytest

from giftune.emojiworld.backgrounds import BACKGROUNDS, HORIZON_DEPTH, paint_background


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
