import numpy as np
import pytest

from giftune.emojiworld.sprites import SPRITE_SIZE, SUBJECTS, atlas, place


def _centroid(coverage: np.ndarray) -> tuple[float, float]:
    y, x = np.mgrid[: coverage.shape[0], : coverage.shape[1]] + 0.5
    return (x * coverage).sum() / coverage.sum(), (y * coverage).sum() / coverage.sum()


def test_every_subject_has_its_own_sprite() -> None:
    sprites = atlas()
    assert sprites.shape == (len(SUBJECTS), SPRITE_SIZE, SPRITE_SIZE, 4)
    assert len({sprite.tobytes() for sprite in sprites}) == len(SUBJECTS)
    assert (sprites[..., 3] > 128).mean(axis=(1, 2)).min() > 0.2


def test_natural_size_is_the_atlas_itself() -> None:
    side, centre = SPRITE_SIZE, SPRITE_SIZE / 2
    placed = place("fox", side, centre, centre, float(side), 0.0, False)
    alpha = atlas()[list(SUBJECTS).index("fox"), ..., 3] / 255
    np.testing.assert_allclose(placed[..., 3], alpha, atol=1e-6)


@pytest.mark.parametrize("angle", [0.0, 30.0])
def test_position_is_the_centre_of_what_is_drawn(angle: float) -> None:
    here = _centroid(place("robot", 128, 50.0, 60.0, 48.0, angle, False)[..., 3])
    there = _centroid(place("robot", 128, 61.5, 52.0, 48.0, angle, False)[..., 3])
    assert there[0] - here[0] == pytest.approx(11.5, abs=0.1)
    assert there[1] - here[1] == pytest.approx(-8.0, abs=0.1)


def test_quarter_turn_is_counter_clockwise() -> None:
    upright = place("penguin", 96, 48.0, 48.0, 96.0, 0.0, False)
    np.testing.assert_allclose(
        place("penguin", 96, 48.0, 48.0, 96.0, 90.0, False), np.rot90(upright), atol=0.06
    )


def test_mirror_flips_left_and_right() -> None:
    drawn = place("car", 96, 48.0, 48.0, 96.0, 0.0, False)
    np.testing.assert_allclose(place("car", 96, 48.0, 48.0, 96.0, 0.0, True), drawn[:, ::-1], atol=0.02)


def test_colour_never_exceeds_coverage() -> None:
    placed = place("pig", 64, 30.3, 31.7, 30.0, 12.0, False)
    assert (placed[..., :3] <= placed[..., 3:] + 1e-6).all()
