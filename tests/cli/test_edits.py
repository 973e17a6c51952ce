import json

import pytest
import torch

from giftune.cli.edits import Edits
from giftune.clip import Clip
from giftune.io.gif import read_gif
from giftune.methods.base import EditTask

SETTINGS = {"num_steps": 3, "guidance": 2.0, "seed": 1, "quality": "best"}
AWKWARD = ['a/b "c" \\ ..', "🐱", "x " * 300, "a cat", "A cat", ".hidden"]


class Painter:
    """Draws a grey clip per prompt; stops after some, as a kill would."""

    def __init__(self, stop_after=None):
        self.asked, self.stop_after = [], stop_after

    def edit(self, clip, prompts, generator, on_progress=None):
        for count, prompt in enumerate(prompts):
            if count == self.stop_after:
                raise KeyboardInterrupt
            self.asked.append(prompt)
            yield clip.with_frames(torch.full_like(clip.frames, len(prompt) % 7 / 7))


@pytest.fixture
def task():
    clip = Clip(torch.zeros(2, 3, 8, 8), (50, 90), loop=3)
    return EditTask(clip, "grey", restore=lambda clip: clip.fit(6, 10, "stretch"))


def test_drawn_once_restored_and_found_again(tmp_path, task):
    painter, edits = Painter(), Edits(tmp_path / "edits", SETTINGS)
    edits.draw(painter, task, AWKWARD)
    again = Edits(tmp_path / "edits", SETTINGS)
    assert again.missing(AWKWARD) == []
    again.draw(painter, task, AWKWARD)
    assert painter.asked == AWKWARD
    paths = [again.find(prompt) for prompt in AWKWARD]
    assert len(set(paths)) == len(AWKWARD) and all(path.parent == tmp_path / "edits" for path in paths)
    back = read_gif(paths[3])
    assert (back.height, back.width, back.durations_ms, back.loop) == (6, 10, (50, 90), 3)
    assert [entry["prompt"] for entry in again.finished()] == AWKWARD


def test_an_interrupted_batch_keeps_what_is_finished(tmp_path, task):
    with pytest.raises(KeyboardInterrupt):
        Edits(tmp_path, SETTINGS).draw(Painter(stop_after=2), task, ["a", "b", "c"])
    later, painter = Edits(tmp_path, SETTINGS), Painter()
    assert later.missing(["a", "b", "c"]) == ["c"]
    later.draw(painter, task, ["a", "b", "c"])
    assert painter.asked == ["c"]


def test_other_settings_never_overwrite(tmp_path, task):
    first = Edits(tmp_path, SETTINGS)
    first.draw(Painter(), task, ["a cat"])
    before = first.find("a cat").read_bytes()
    second = Edits(tmp_path, {**SETTINGS, "guidance": 9.0})
    assert second.missing(["a cat"]) == ["a cat"]
    second.draw(Painter(), task, ["a cat"])
    assert first.find("a cat").read_bytes() == before
    assert second.find("a cat") != first.find("a cat")
    assert len(json.loads((tmp_path / "index.json").read_text())) == 2


def test_a_deleted_file_is_drawn_again(tmp_path, task):
    edits = Edits(tmp_path, SETTINGS)
    edits.draw(Painter(), task, ["a cat", "a dog"])
    edits.find("a cat").unlink()
    assert edits.missing(["a cat", "a dog"]) == ["a cat"]
    edits.draw(Painter(), task, ["a cat", "a dog"])
    assert len(edits.finished()) == 2 and len(json.loads(edits.index.read_text())) == 2
