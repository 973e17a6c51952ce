import warnings

import pytest
import torch

from giftune.cli._build import build
from giftune.data.davis import Davis
from giftune.errors import InputError
from tests.davis_folders import HEIGHT, WIDTH, write_davis, write_prompts
from tests.test_configs import compose


@pytest.fixture
def root(tmp_path):
    write_davis(tmp_path, "bear")
    write_davis(tmp_path, "bus", num_frames=4)
    write_prompts(tmp_path / "prompts.yaml", "bus", "bear")
    return tmp_path


def davis(root, **settings):
    return Davis(root, **{"sheet": "prompts.yaml", "size": 32, "multiple": 8, **settings})


def test_clips_with_their_masks(root):
    bus, bear = davis(root, size=None, multiple=1, fps=24.0)
    assert (bus.clip.name, bear.clip.name) == ("bus", "bear")
    assert bear.clip.frames.shape == (6, 3, HEIGHT, WIDTH) and len(bus.clip) == 4
    assert sum(bear.clip.durations_ms) == 250
    assert bear.mask.unique().tolist() == [0, 1] and bear.mask.shape == (6, HEIGHT, WIDTH)
    light = bear.clip.frames.mean(dim=1) > 0
    assert light.float().equal(bear.mask), "a pixel of any label belongs to the subject"
    assert bear.types["a fox like a bear"] == "object"


def test_masks_can_be_done_without(root):
    for file in (root / "Annotations" / "480p" / "bear").iterdir():
        file.unlink()
    (task,) = davis(root, clip="bear", use_masks=False)
    assert task.mask is None


def test_the_setting_of_tune_a_video_is_the_default(root):
    """Of its evaluation: 32 frames, spread uniformly over the clip, stretched to 512 x 512 pixels."""
    write_davis(root, "koala", num_frames=40)
    config = compose("backbone=sd15", "data=davis42", f"data.path={root}")["data"]
    with pytest.warns(UserWarning, match="39 of 42 clips are left out: path .*blackswan is not a folder"):
        data = build(config, "data")
    assert [entry.name for entry in data.entries] == ["bear", "koala", "bus"]
    assert [len(entry.edits) for entry in data.entries] == [4, 4, 4]
    (task,) = build(config | {"clip": "koala"}, "data")
    assert task.clip.frames.shape == (32, 3, 512, 512) and task.mask.shape == (32, 512, 512)
    steps = [k * 40 // 32 for k in range(32)]
    left = (task.source.frames.mean(dim=1) > 0).any(dim=1).int().argmax(dim=1)
    assert left[:14].tolist() == [4 + 2 * step for step in steps[:14]]
    assert sum(task.source.durations_ms) == round(40 * 1000 / 24)
    back = task.restore(task.clip)
    assert (back.height, back.width) == (HEIGHT, WIDTH)


def test_missing_masks_and_frames_are_said_and_left_out(root):
    write_davis(root, "cow", masks=False)
    write_davis(root, "dog")
    write_davis(root, "fox")
    for kind, file in (("Annotations", "dog/00003.png"), ("Annotations", "dog/00004.png"),
                       ("JPEGImages", "fox/00002.jpg")):  # fmt: skip
        (root / kind / "480p" / file).unlink()
    write_prompts(root / "prompts.yaml", "cow", "bear", "dog", "fox", "owl")
    with pytest.warns(UserWarning) as caught:
        data = davis(root)
    assert [entry.name for entry in data.entries] == ["bear"] and len(caught) == 1
    message = str(caught[0].message)
    assert message.startswith("4 of 5 clips are left out: ") and "\n" not in message
    for sentence in ("cow has no mask 00000.png (and 5 more)", "dog has no mask 00003.png (and 1 more)",
                     "fox has no frame 00002, though it has later ones", "owl is not a folder"):  # fmt: skip
        assert sentence in message
    with pytest.raises(InputError, match=r"dog has no mask 00003\.png"):
        davis(root, clip="dog")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (task,) = davis(root, clip="dog", num_frames=3, stride=1)  # they are not among the first three
    assert task.mask.shape == (3, *task.clip.frames.shape[2:]) and torch.any(task.mask > 0)


def test_refuses_what_is_no_davis(root, tmp_path_factory):
    with pytest.raises(InputError, match="not laid out as DAVIS: it has no JPEGImages/480p"):
        Davis(tmp_path_factory.mktemp("empty"))
    with pytest.raises(InputError, match="it has no JPEGImages/1080p"):
        davis(root, resolution="1080p")
    with pytest.raises(InputError, match=r"data\.clip is owl, it must be one of bus, bear"):
        davis(root, clip="owl")
    write_prompts(root / "prompts.yaml", "owl", "cow")
    with pytest.raises(InputError, match="none of the 2 clips"):
        davis(root)
