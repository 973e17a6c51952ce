import pytest
import torch

from giftune.cli._build import build
from giftune.clip import Clip
from giftune.data.folder import Folder
from giftune.errors import InputError
from giftune.io.frames import write_frames
from giftune.io.gif import write_gif
from tests.davis_folders import write_prompts
from tests.test_configs import compose

FRAMES = torch.linspace(-0.8, 0.8, 4)[:, None, None, None].expand(4, 3, 16, 24).contiguous()


@pytest.fixture
def clips(tmp_path):
    clip = Clip(FRAMES, (100,) * 4)
    write_gif(clip, tmp_path / "fox.gif")
    write_frames(clip, tmp_path / "cow")
    (tmp_path / "fox.txt").write_text("about the fox")
    write_prompts(tmp_path / "prompts.yaml", "fox", "cow")
    return tmp_path


def test_gifs_and_folders_of_pictures(clips):
    fox, cow = Folder(clips, size=16, multiple=8)
    assert (fox.clip.name, cow.clip.name) == ("fox", "cow")
    assert fox.source_prompt == "a fox is moving" and fox.mask is None
    assert cow.prompts == ("a fox like a cow", "a cow is moving, sketch")
    assert cow.types == {"a fox like a cow": "object", "a cow is moving, sketch": "style"}
    for task in (fox, cow):
        assert (task.source.frames - FRAMES).abs().max() < 0.02
        assert task.restore(task.clip).frames.shape == FRAMES.shape


def test_as_configured_with_a_sheet_elsewhere(clips, tmp_path_factory):
    sheet = write_prompts(tmp_path_factory.mktemp("sheets") / "mine.yaml", "cow")
    config = compose("data=folder", f"data.path={clips}", f"data.sheet={sheet}", "data.num_frames=2")["data"]
    (cow,) = build(config, "data")
    assert len(cow.clip) == 2 and (cow.clip.height, cow.clip.width) == (56, 80)
    (cow,) = build(config | {"square": True, "clip": "cow"}, "data")
    assert (cow.clip.height, cow.clip.width) == (64, 64)


def test_a_name_may_have_its_ending_and_must_be_clear(clips):
    write_gif(Clip(-FRAMES, (100,) * 4), clips / "fox.webp")
    with pytest.raises(InputError, match=r"fox can be any of fox\.gif, fox\.webp, the sheet must say which"):
        Folder(clips, "fox", size=16, multiple=8)
    write_prompts(clips / "prompts.yaml", "fox.webp")
    (task,) = Folder(clips, size=16, multiple=8)
    assert task.clip.name == "fox.webp" and task.source.frames[0].mean() > 0.5


def test_refuses_in_one_sentence(clips):
    write_prompts(clips / "prompts.yaml", "owl")
    with pytest.raises(InputError, match=r"path .*owl does not exist"):
        Folder(clips)
    with pytest.raises(InputError, match=r"path .*elsewhere is not a folder"):
        Folder(clips / "elsewhere")
    with pytest.raises(InputError, match=r"sheet other\.yaml does not exist"):
        Folder(clips, sheet="other.yaml")
