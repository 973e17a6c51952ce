from pathlib import Path

import numpy as np
import pytest

from giftune.emojiworld.pretrain import crowds as module
from giftune.emojiworld.pretrain.crowds import MOST, load_crowds, sample_crowd
from giftune.emojiworld.scene import render_together
from giftune.emojiworld.sprites import SUBJECTS


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 10)


def test_crowds_are_rendered_once_and_the_same_for_any_count(tmp_path: Path) -> None:
    few, many = load_crowds(10, 3, 16, tmp_path, workers=1), load_crowds(20, 3, 16, tmp_path, workers=2)
    for one, other in zip(few, many, strict=True):
        np.testing.assert_array_equal(one, other[:10])
    before = {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    load_crowds(10, 3, 16, tmp_path)
    assert before == {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    assert few.pictures.shape == (10, 16, 16, 3) and few.centres.shape == (10, MOST, 2)


def test_labels_tell_what_was_drawn(tmp_path: Path) -> None:
    made, rng = load_crowds(10, 0, 32, tmp_path, workers=1), np.random.default_rng(0)
    for i in range(10):
        setting, subjects = sample_crowd(rng)
        drawn = render_together(setting, subjects, 32)
        np.testing.assert_allclose(made.pictures[i] / 255, drawn.picture, atol=0.003)
        there = [list(SUBJECTS)[k] for k in made.kinds[i] if k >= 0]
        assert there == [scene.subject for scene, _ in subjects]
        for j, (scene, pose) in enumerate(subjects):
            np.testing.assert_allclose(made.centres[i, j], scene.centre(pose) + drawn.shifts[j], rtol=1e-5)
            assert made.shares[i, j] == pytest.approx(drawn.shares[j], abs=1e-6)


def test_every_number_of_subjects_comes_and_all_stay_in_the_picture() -> None:
    rng, numbers = np.random.default_rng(1), set()
    for _ in range(60):
        setting, subjects = sample_crowd(rng)
        numbers.add(len(subjects))
        for scene, pose in subjects:
            x, y = scene.centre(pose)
            assert 0.05 < x < 0.95 and 0.05 < y < 0.95
            assert (scene.background, scene.style, scene.seed) == (
                setting.background, setting.style, setting.seed
            )  # fmt: skip
    assert numbers == {0, 1, 2, 3}


def test_count_must_be_whole_chunks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="count 7 must be a multiple of 10"):
        load_crowds(7, 0, 16, tmp_path)
