import pytest
import torch

from giftune.clip import Clip
from giftune.data.gif import Gif
from giftune.errors import InputError
from giftune.io.gif import read_gif, write_gif


@pytest.fixture
def path(tmp_path):
    frames = torch.stack([torch.full((3, 20, 36), i / 5 - 1) for i in range(10)])
    path = tmp_path / "grey.gif"
    write_gif(Clip(frames, tuple(range(20, 120, 10)), loop=3), path)
    return path


def test_a_clip_is_framed_and_can_be_brought_back(path):
    (task,) = Gif(path, " a grey cat ", max_frames=5, size=32, multiple=8)
    source = read_gif(path)
    assert task.source_prompt == "a grey cat"
    assert len(task.clip) == len(task.source) == 5
    assert (task.clip.height, task.clip.width) == (24, 40)
    back = task.restore(task.clip)
    assert (back.height, back.width, back.loop) == (20, 36, 3)
    torch.testing.assert_close(task.source.frames, source.frames[::2])


@pytest.mark.parametrize("fit", ["pad", "crop", "stretch"])
def test_a_result_is_framed_as_the_clip_was(path, fit):
    (task,) = Gif(path, "a grey cat", max_frames=5, size=32, multiple=8, fit=fit)
    again = task.frame(task.restore(task.clip))
    assert again.frames.shape == task.clip.frames.shape
    torch.testing.assert_close(again.frames, task.clip.frames, atol=0.05, rtol=0)


def test_spreading_keeps_the_playing_time(path):
    for count in (3, 5, 7):
        (task,) = Gif(path, "a cat", num_frames=count, size=32, multiple=8)
        assert sum(task.clip.durations_ms) == sum(read_gif(path).durations_ms)


def test_all_frames_are_taken_when_nothing_is_asked(path):
    (every,) = Gif(path, "a cat", max_frames=24, size=32, multiple=8)
    (some,) = Gif(path, "a cat", max_frames=24, start=3, stride=2, size=32, multiple=8)
    assert (len(every.source), len(some.source)) == (10, 4)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"prompt": "  "}, r"data\.prompt is empty"),
        ({"num_frames": 11}, "num_frames=11"),
        ({"num_frames": 1}, "needs at least 2"),
        ({"start": 9}, "needs at least 2"),
        ({"start": 12}, "needs at least 2"),
        ({"size": 33}, r"data\.size is 33"),
        ({"stride": 0}, "stride"),
    ],
)
def test_refuses(path, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        Gif(**{"path": path, "prompt": "a cat", "size": 32, "multiple": 8, **settings})


def test_refuses_what_has_no_motion_or_is_not_there(path, tmp_path):
    write_gif(read_gif(path)[:1], tmp_path / "still.gif")
    with pytest.raises(InputError, match=r"still\.gif has 1 frame\(s\); motion needs at least 2"):
        Gif(tmp_path / "still.gif", "a cat")
    (tmp_path / "empty.gif").touch()
    for name in ("empty.gif", "missing.gif"):
        with pytest.raises(InputError, match=name):
            Gif(tmp_path / name, "a cat")
