import pytest
import torch

from giftune.data.seeded import seeded
from giftune.data.webvid import WebVid
from giftune.errors import InputError
from tests.videos import pictures, write

# the first rows of a table as it was published
TABLE = """videoid,contentUrl,duration,page_dir,name
21179416,https://ak.picdn.net/21179416/preview/stock-footage-aerial.mp4,PT00H00M11S,006001_006050,"Aerial shot, winter forest"
5629184,https://ak.picdn.net/5629184/preview/stock-footage-senior.mp4,PT00H00M29S,071501_071550,Senior couple looking through binoculars.
1039695998,https://ak.picdn.net/1039695998/preview/stock-footage.mp4,PT00H00M10S,,A beautiful cookie
"""  # noqa: E501


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "results_10M_train.csv").write_text(TABLE)
    for page, video in (("006001_006050", "21179416"), ("", "1039695998")):
        (tmp_path / page).mkdir(exist_ok=True)
        write(tmp_path / page / f"{video}.mp4", pictures(9))
    return tmp_path


def test_videos_by_page_and_number(folder):
    source = WebVid(path=folder, table="results_10M_train.csv", num_frames=3, stride=4, size=48)
    assert source.count == 2 and [skip.clip for skip in source.left_out] == ["071501_071550/5629184.mp4"]
    example = source.read(0, seeded(0))
    assert example.caption == "Aerial shot, winter forest" and example.name == "006001_006050/21179416.mp4"
    assert example.clip.durations_ms[:2] == (160, 160)  # of a video of 25 frames a second
    expected = torch.from_numpy(pictures(9)[[0, 4, 8], -8:, -8:]).float().mean(dim=(1, 2, 3))
    found = (example.clip.frames[:, :, -6:, -6:].mean(dim=(1, 2, 3)) + 1) * 127.5
    torch.testing.assert_close(found, expected, atol=6, rtol=0)
    assert source.read(1, seeded(0)).caption == "A beautiful cookie"


def test_other_layouts(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("flat")
    (folder / "1039695998.mp4").rename(other / "1039695998.mp4")
    table = folder / "results_10M_train.csv"
    source = WebVid(path=other, table=table, layout="{videoid}.mp4", num_frames=2, size=32)
    assert source.count == 1 and source.read(0, seeded(0)).caption == "A beautiful cookie"


@pytest.mark.parametrize("layout", ["{page_dir}.mp4", "{videoid}/{file}", "{videoid.__class__}", "{videoid"])
def test_refuses_a_layout_that_names_no_video(folder, layout):
    with pytest.raises(InputError, match=r"corpus\.layout"):
        WebVid(path=folder, table="results_10M_train.csv", layout=layout)
