"""`giftune export` from end to end."""

import pytest

from giftune.data.davis import Davis
from giftune.data.emoji_davis import EmojiDavis


def test_what_is_written_is_read_as_davis(giftune, tmp_path):
    given = ["data.clip=car-pan-run", "data.num_frames=3", "data.size=32"]
    status, out, err = giftune("export", "folder=here", *given)
    assert (status, err) == (0, "") and "1 clip with 3 edits in here, laid out as DAVIS" in out
    EmojiDavis(num_frames=3, size=32, clip="car-pan-run").write(tmp_path / "there")
    files = {
        place: {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*.*")}
        for place in (tmp_path / "here", tmp_path / "there")
    }
    here, there = files.values()
    assert here == there and len(here) == 3 + 3 + 2
    (task,) = Davis(tmp_path / "here", sheet="prompts.yaml", size=32, multiple=8)
    assert task.clip.name == "car-pan-run" and len(task.prompts) == 3 and task.mask.any()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "folder is missing"),
        (["folder=here", "data=gif"], "data is Gif, which cannot be written: it must be emojidavis42"),
        (["folder=here", "data=davis42"], "data is Davis, which cannot be written"),
        (["folder=here", "data=emojiworld_fox"], "which cannot be written"),
        (["folder=here", "data.clip=cat"], "data.clip is cat, it must be one of rabbit-jump"),
        (["folder=here", "data=nothing"], "data=nothing is not known"),
        (["folder=no/file/here", "data.clip=car-run"], "folder no/file/here cannot be made"),
    ],
)
def test_bad_input_is_one_sentence(giftune, tmp_path, given, sentence):
    (tmp_path / "no").mkdir()
    (tmp_path / "no" / "file").write_text("")
    status, out, err = giftune("export", *given)
    assert status == 2 and sentence in err and err.count("\n") == 1 and out == ""
    assert not (tmp_path / "here").exists()


def test_nothing_is_written_twice(giftune):
    given = ["folder=here", "data.clip=car-run", "data.num_frames=2", "data.size=16"]
    assert giftune("export", *given)[0] == 0
    status, _, err = giftune("export", *given)
    assert status == 2 and "already holds pictures" in err
