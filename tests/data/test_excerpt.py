import pytest
import torch
from PIL import Image

from giftune.clip import Clip
from giftune.data.excerpt import Excerpt
from giftune.errors import InputError
from giftune.io.gif import write_gif
from tests.davis_folders import HEIGHT, WIDTH, write_davis


@pytest.fixture
def path(tmp_path):
    frames = torch.stack([torch.full((3, 20, 36), i / 5 - 1) for i in range(10)])
    write_gif(Clip(frames, (40,) * 10), tmp_path / "grey.gif")
    return tmp_path / "grey.gif"


def test_which_frames_are_used(path):
    for settings, expected in (
        ({}, (0, 1, 2, 3, 4, 5, 6, 7, 8, 9)),
        ({"max_frames": 5}, (0, 2, 4, 6, 8)),
        ({"num_frames": 3, "start": 1, "stride": 4}, (1, 5, 9)),
        ({"start": 3, "stride": 2}, (3, 5, 7, 9)),
    ):
        excerpt = Excerpt(size=32, multiple=8, **settings)
        assert excerpt.selection(path).indices(10, "clip") == expected
        task = excerpt.task(path, "a grey cat", ["a dog"], {"a dog": "object"})
        shown = ((task.source.frames[:, 0, 0, 0] + 1) * 5).round().int()
        assert tuple(shown.tolist()) == expected
        assert (task.source_prompt, task.prompts, task.mask) == ("a grey cat", ("a dog",), None)
        assert task.types == {"a dog": "object"}


def test_masks_are_those_of_the_frames_used_and_framed_with_them(tmp_path):
    boxes = torch.from_numpy(write_davis(tmp_path, "box"))
    frames, masks = (tmp_path / kind / "480p" / "box" for kind in ("JPEGImages", "Annotations"))
    task = Excerpt(num_frames=3, size=None, multiple=1).task(frames, "a box", [], masks=masks)
    assert task.mask.equal(boxes[::2].float())
    for fit in ("pad", "crop", "stretch"):
        excerpt = Excerpt(num_frames=2, start=1, stride=3, size=32, multiple=8, fit=fit, square=True)
        task = excerpt.task(frames, "a box", [], masks=masks)
        assert task.mask.shape == (2, 32, 32) and task.clip.frames.shape == (2, 3, 32, 32)
        light = (task.clip.frames.mean(dim=1) + 1) / 2
        scale = (light - 40 / 255) / (180 / 255)
        assert (scale - task.mask).abs().mean() < 0.02, "the box is light where the mask is 1"
        assert excerpt.chosen(frames) == ["00001", "00004"]


def test_refuses_masks_of_another_size(tmp_path):
    write_davis(tmp_path, "box", num_frames=2)
    frames, masks = (tmp_path / kind / "480p" / "box" for kind in ("JPEGImages", "Annotations"))
    for file in masks.iterdir():
        Image.new("P", (10, 8)).save(file)
    with pytest.raises(InputError, match=f"masks of 10 x 8 for frames of {WIDTH} x {HEIGHT}"):
        Excerpt(size=32, multiple=8).task(frames, "a box", [], masks=masks)
