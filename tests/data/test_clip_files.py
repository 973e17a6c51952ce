import pytest
import torch

from giftune.clip import Clip
from giftune.data.clip_source import ClipSource, Unusable
from giftune.data.seeded import seeded
from giftune.data.webvid import WebVid
from giftune.errors import InputError
from giftune.io.gif import write_gif

NUM_FRAMES = {"long": 12, "short": 3, "exact": 7}


def write(path, num_frames):
    """A GIF whose frame i is of brightness i."""
    levels = (torch.arange(num_frames) * 20 / 127.5 - 1).reshape(-1, 1, 1, 1)
    write_gif(Clip(levels.expand(-1, 3, 16, 24).contiguous(), (50,) * num_frames), path, "best")


@pytest.fixture
def folder(tmp_path):
    for name, count in NUM_FRAMES.items():
        write(tmp_path / f"{name}.gif", count)
    (tmp_path / "broken.gif").write_bytes((tmp_path / "long.gif").read_bytes()[:60])
    names = (*NUM_FRAMES, "broken", "gone", "../long", "")
    lines = [f"{name},,,,a cat {name}\n" for name in names] + ["exact,,,,  \n", "exact\n"]
    (tmp_path / "t.csv").write_text("videoid,contentUrl,duration,page_dir,name\n" + "".join(lines))
    return tmp_path


def clips(folder, **settings):
    settings = {"num_frames": 3, "size": 16, "layout": "{videoid}.gif", **settings}
    return WebVid(path=folder, table="t.csv", **settings)


def shown(clip):
    """Which frames a clip has."""
    return ((clip.frames[:, 0].mean(dim=(1, 2)) + 1) * 127.5 / 20).round().int().tolist()


def test_rows_without_caption_or_file_are_left_out(folder):
    source = clips(folder)
    assert isinstance(source, ClipSource) and source.count == 4
    kinds = [skip.kind for skip in source.left_out]
    assert kinds == ["missing"] * 3 + ["without caption"] * 2
    with pytest.raises(InputError, match="no clip that can be used: 7 missing, 2 without caption"):
        clips(folder, layout="{videoid}.mp4")


def test_excerpts_begin_anywhere_and_keep_their_stride(folder):
    source = clips(folder, stride=2)
    found = {tuple(shown(source.read(0, seeded(k)).clip)) for k in range(60)}
    assert found == {(k, k + 2, k + 4) for k in range(12 - 4)}
    example = source.read(0, seeded(5))
    assert example.caption == "a cat long" and example.name == "long.gif"
    assert shown(source.read(0, seeded(5)).clip) == shown(example.clip)
    assert example.clip.frames.shape == (3, 3, 16, 16) and example.clip.durations_ms[:2] == (100, 100)


def test_without_stride_they_are_spread_over_all(folder):
    source = clips(folder, num_frames=4)
    assert shown(source.read(0, seeded(0)).clip) == [0, 3, 6, 9]


def test_short_and_broken_clips_say_so(folder):
    source = clips(folder, num_frames=4, stride=2)
    assert shown(source.read(2, seeded(0)).clip) == [0, 2, 4, 6]
    for number, kind, said in ((1, "too short", "has 3 frame(s), but 7 are needed"), (3, "broken", "")):
        with pytest.raises(Unusable) as caught:
            source.read(number, seeded(0))
        assert caught.value.skip.kind == kind and said in str(caught.value)
        assert caught.value.skip.clip == ("short.gif", "broken.gif")[number // 2]


def test_another_list_is_another_digest(folder):
    before = clips(folder).digest
    assert clips(folder, num_frames=5).digest == before
    (folder / "short.gif").unlink()
    assert clips(folder).digest != before


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"num_frames": 1}, r"corpus\.num_frames is 1, it must be at least 2"),
        ({"stride": 0}, r"corpus\.stride is 0, it must be at least 1"),
        ({"size": 20}, r"corpus\.size is 20, it must be a multiple of 8"),
    ],
)
def test_refuses(folder, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        clips(folder, **settings)


def test_refuses_a_folder_that_is_none(tmp_path):
    with pytest.raises(InputError, match=r"corpus\.path .*nowhere is not a folder"):
        clips(tmp_path / "nowhere")
