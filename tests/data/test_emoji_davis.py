import numpy as np
import pytest
import torch

from giftune.cli._build import build
from giftune.data.davis import Davis
from giftune.data.emoji_davis import SHEET, TRACE, EmojiDavis
from giftune.data.sheet import TYPES, read_sheet
from giftune.emojiworld.davis import TAKES
from giftune.errors import InputError
from giftune.io.masks import read_masks
from giftune.metrics import _background
from giftune.metrics.warp_error import TrueWarpError
from tests.test_configs import compose


def test_42_clips_with_140_edits_and_their_types():
    data = EmojiDavis()
    assert len(data) == len(data.entries) == 42
    assert sum(len(entry.edits) for entry in data.entries) == 140
    assert {kind for entry in data.entries for kind in entry.types.values()} == set(TYPES)
    assert [entry.name for entry in data.entries] == [take.name for take in TAKES]


def test_tasks_are_the_clips_of_the_world_with_what_is_true_of_them():
    for number in (0, 12, 30, 40):
        name, world = TAKES[number].name, TAKES[number].film(3, 32)
        (task,) = EmojiDavis(num_frames=3, size=32, clip=name)
        assert task.clip.name == name and task.clip.content_hash() == world.clip.content_hash()
        assert task.source_prompt == world.caption and task.mask.equal(world.mask) and task.source is None
        assert set(task.truth) == ({"depth", "counts"} if number == 30 else {"depth", "flow", "centres"})
        assert all(value.equal(getattr(world, key)) for key, value in task.truth.items())
        assert tuple(task.types) == task.prompts
        before = task.asked(task.source_prompt)
        for prompt, kind in task.types.items():
            changed = [key for key, value in task.asked(prompt).items() if value != before[key]]
            assert len(changed) == (2 if kind == "multiple" else 1)


def test_as_configured():
    data = build(compose("data=emojidavis42")["data"], "data")
    task = next(iter(data))
    assert len(data) == 42 and task.clip.frames.shape == (8, 3, 64, 64)
    with pytest.raises(InputError, match=r"data\.clip is cat-nap, it must be one of rabbit-jump, frog-jump"):
        build(compose("data=emojidavis42", "data.clip=cat-nap")["data"], "data")
    with pytest.raises(InputError, match=r"data\.num_frames is 1, motion needs at least 2"):
        EmojiDavis(num_frames=1)


def test_davis_reads_what_is_written(tmp_path):
    for folder, name in ((tmp_path / "one", "car-pan-run"), (tmp_path / "two", "bear-fox-crossing")):
        data = EmojiDavis(num_frames=4, size=64, clip=name)
        data.write(folder)
        assert (folder / "ImageSets" / "2017" / "val.txt").read_text() == f"{name}\n"
        assert read_sheet(folder / SHEET) == data.entries
        (made,) = data
        (again,) = Davis(folder, sheet=SHEET, size=64, multiple=8, square=True, fps=25 / 3)
        assert again.clip.name == name and again.prompts == made.prompts and again.types == made.types
        assert again.clip.durations_ms == made.clip.durations_ms
        error = (again.clip.frames - made.clip.frames).abs()
        assert error.mean() < 0.015 and error.max() < 0.25, "what JPEG loses"
        assert again.mask.equal((made.mask >= TRACE).float())
        # so metrics of the background see the same one
        seen = [_background.background(task.mask, task.clip.frames) for task in (made, again)]
        assert torch.equal(*seen) and TRACE == _background.TRACE


def test_masks_on_disk_number_the_subjects(tmp_path):
    EmojiDavis(num_frames=3, size=64, clip="panda-family").write(tmp_path)
    numbers = read_masks(tmp_path / "Annotations" / "480p" / "panda-family", ["00000", "00001", "00002"])
    (take,) = (take for take in TAKES if take.name == "panda-family")
    world = take.film(3, 64)
    for number in (1, 2, 3):
        mine = numbers == number
        assert (world.masks[:, number - 1].numpy()[mine] >= world.mask.numpy()[mine] / 3).all()
        assert mine[world.masks[:, number - 1].numpy() > 0.5].all()
    assert np.unique(numbers).tolist() == [0, 1, 2, 3]


def test_a_folder_is_not_written_twice(tmp_path):
    data = EmojiDavis(num_frames=2, size=16, clip="rabbit-jump")
    data.write(tmp_path)
    with pytest.raises(InputError, match="already holds pictures"):
        data.write(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"folder .*file cannot be made"):
        data.write(tmp_path / "file")


@pytest.mark.slow
def test_the_source_moves_along_its_own_flow():
    """The metric that takes the truth finds next to nothing on the clips themselves."""
    for task in EmojiDavis():
        if "flow" in task.truth:
            assert TrueWarpError()(task.clip.frames, task.truth["flow"]) < 2


@pytest.mark.slow
def test_the_whole_benchmark_goes_through_the_layout_of_davis(tmp_path):
    data = EmojiDavis()
    data.write(tmp_path)
    again = Davis(tmp_path, sheet=SHEET, size=64, multiple=8)
    assert again.entries == data.entries
    for made, read in zip(data, again, strict=True):
        assert read.mask.equal((made.mask >= TRACE).float())
        assert (read.clip.frames - made.clip.frames).abs().mean() < 0.015
