import warnings
from dataclasses import dataclass

import pytest
import torch

from giftune.clip import Clip
from giftune.data.collection import Collection, chosen
from giftune.data.sheet import Edit, Entry
from giftune.errors import InputError
from giftune.io.gif import write_gif

SHEET = tuple(Entry(name, f"a {name}", (Edit(f"no {name}", "object"),)) for name in ("cat", "dog", "ant"))


@dataclass
class Gifs(Collection):
    """The least that a collection is."""

    def listed(self):
        return SHEET

    def find(self, name):
        return self.path / f"{name}.gif"


def write(folder, *names):
    for number, name in enumerate(names):
        frames = torch.full((3, 3, 16, 24), number / 5) + torch.linspace(-0.5, 0.5, 3)[:, None, None, None]
        write_gif(Clip(frames, (40,) * 3), folder / f"{name}.gif")


def gifs(folder, **settings):
    return Gifs(folder, size=16, multiple=8, **settings)


def test_tasks_in_the_order_of_the_sheet(tmp_path):
    write(tmp_path, "ant", "cat", "dog")
    data = gifs(tmp_path)
    assert data.entries == SHEET and len(data) == 3
    for _ in range(2):  # it can be gone through again
        tasks = list(data)
        assert [task.clip.name for task in tasks] == ["cat", "dog", "ant"]
        assert [task.source.name for task in tasks] == ["cat", "dog", "ant"]
        assert [task.source_prompt for task in tasks] == ["a cat", "a dog", "a ant"]
        assert [task.types for task in tasks] == [{f"no {name}": "object"} for name in ("cat", "dog", "ant")]
    (only,) = gifs(tmp_path, clip="dog")
    assert only.prompts == ("no dog",) and only.clip.content_hash() == tasks[1].clip.content_hash()


def test_nothing_is_read_before_its_turn(tmp_path):
    write(tmp_path, "ant", "cat", "dog")
    data = gifs(tmp_path)
    (tmp_path / "ant.gif").unlink()
    tasks = iter(data)
    assert next(tasks).clip.name == "cat"
    assert next(tasks).clip.name == "dog"
    with pytest.raises(InputError, match="ant"):
        next(tasks)


def test_what_is_missing_or_of_no_use_is_said_once_and_left_out(tmp_path):
    write(tmp_path, "cat")
    write_gif(Clip(torch.zeros(1, 3, 8, 8), (40,)), tmp_path / "ant.gif")
    with pytest.warns(UserWarning) as caught:
        data = gifs(tmp_path)
        assert [task.clip.name for task in data] == ["cat"]
    assert [entry.name for entry in data.entries] == ["cat"] and len(data) == 1
    (warning,) = caught
    assert str(warning.message) == (
        f"2 of 3 clips are left out: path {tmp_path}/dog.gif does not exist; "
        f"path {tmp_path}/ant.gif has 1 frame(s); motion needs at least 2."
    )


def test_one_that_is_asked_for_must_be_there(tmp_path):
    write(tmp_path, "cat")
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # others do not matter then
        assert len(gifs(tmp_path, clip="cat")) == 1
        with pytest.raises(InputError, match=r"^path .*dog\.gif does not exist$"):
            gifs(tmp_path, clip="dog")
    with pytest.raises(InputError, match=r"data\.clip is cow, it must be one of cat, dog, ant"):
        gifs(tmp_path, clip="cow")


def test_refuses_when_nothing_is_left(tmp_path):
    with pytest.raises(
        InputError, match=r"none of the 3 clips of .* can be used; the first: path .*cat\.gif does"
    ):
        gifs(tmp_path)


def test_all_or_one():
    assert chosen(SHEET, None) is SHEET and chosen(SHEET, "dog") == SHEET[1:2]
