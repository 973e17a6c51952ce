import pytest
import torch

from giftune.clip import Clip
from giftune.data.seeded import seeded
from giftune.data.tgif import Tgif
from giftune.io.gif import write_gif

TABLE = """https://38.media.tumblr.com/9f/tumblr_nncdu3tPNU1uo0_500.gif\ta man is glaring, with "glasses
https://38.media.tumblr.com/9e/tumblr_nb2mucKMeU1tkz79uo1_250.gif\ta cat tries to catch a mouse on a tablet
https://33.media.tumblr.com/aa/tumblr_gone_250.gif?size=1\ta man dressed in red is dancing.
https://38.media.tumblr.com/9f/tumblr_nncdu3tPNU1uo0_500.gif\tthe same man again
https://38.media.tumblr.com/9e/tumblr_nb2mucKMeU1tkz79uo1_250.gif\t
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tgif-v1.0.tsv").write_text(TABLE)
    for number, name in enumerate(("tumblr_nncdu3tPNU1uo0_500", "tumblr_nb2mucKMeU1tkz79uo1_250")):
        frames = torch.full((5, 3, 16, 16), number - 0.5)
        write_gif(Clip(frames, (60,) * 5), tmp_path / f"{name}.gif", "best")
    return tmp_path


def test_gifs_are_called_as_in_their_addresses(folder):
    source = Tgif(path=folder, num_frames=4, size=8)
    examples = [source.read(number, seeded(0)) for number in range(source.count)]
    assert [example.caption for example in examples] == [
        'a man is glaring, with "glasses',
        "a cat tries to catch a mouse on a tablet",
        "the same man again",
    ]
    for example, level in zip(examples, (-0.5, 0.5, -0.5), strict=True):
        torch.testing.assert_close(example.clip.frames, torch.full((4, 3, 8, 8), level), atol=0.02, rtol=0)


def test_what_is_not_there_is_counted(folder):
    skips = Tgif(path=folder, num_frames=4, size=8).left_out
    assert [(skip.clip, skip.kind) for skip in skips] == [
        ("tumblr_gone_250.gif", "missing"),
        ("tumblr_nb2mucKMeU1tkz79uo1_250.gif", "without caption"),
    ]
