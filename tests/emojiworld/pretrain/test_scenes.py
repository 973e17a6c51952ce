from pathlib import Path

import numpy as np
import pytest

from giftune.emojiworld.pretrain import scenes as module
from giftune.emojiworld.pretrain.scenes import LABELS, load_scenes


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 10)


def test_scenes_are_rendered_once_and_the_same_for_any_count(tmp_path: Path) -> None:
    few, many = load_scenes(10, 3, 16, tmp_path, workers=1), load_scenes(20, 3, 16, tmp_path, workers=2)
    np.testing.assert_array_equal(few.pictures, many.pictures[:10])
    assert few.labels == many.labels[:10] and (few.centres == many.centres[:10]).all()
    before = {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}
    load_scenes(10, 3, 16, tmp_path)
    assert before == {f: f.stat().st_mtime_ns for f in tmp_path.iterdir()}


def test_classes_index_the_label_lists(tmp_path: Path) -> None:
    scenes = load_scenes(10, 0, 16, tmp_path, workers=1)
    for name in LABELS:
        assert [LABELS[name][i] for i in scenes.classes(name)] == [label[name] for label in scenes.labels]


def test_count_must_be_whole_chunks(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="count 7 must be a multiple of 10"):
        load_scenes(7, 0, 16, tmp_path)
