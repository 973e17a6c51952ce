import base64
import io

import numpy as np
import pytest
from PIL import Image

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.gif import read_gif, write_gif
from giftune.report.animation import Sheets, encode


def clip(num_frames: int, height: int, width: int) -> Clip:
    random = np.random.default_rng(num_frames)
    pixels = random.integers(0, 255, (num_frames, height, width, 3), np.uint8)
    return Clip.from_pixels(pixels, tuple(30 + 10 * k for k in range(num_frames)))


@pytest.mark.parametrize("num_frames", [1, 2, 5, 8, 9])
def test_frames_lie_in_reading_order_without_loss(num_frames):
    given = clip(num_frames, 24, 40)
    content, columns, size = encode(given, 256)
    page = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    assert size == (40, 24)
    for k, frame in enumerate(given.pixels()):
        top, left = k // columns * 24, k % columns * 40
        assert np.array_equal(page[top : top + 24, left : left + 40], frame)


def test_large_clips_are_shrunk_in_their_shape():
    _, _, size = encode(clip(2, 300, 600), 256)
    assert size == (256, 128)
    with pytest.raises(InputError, match="tile is 3"):
        Sheets(3)


def test_one_content_is_one_sheet_with_the_timing_of_its_clip(tmp_path):
    for name in ("a.gif", "b.gif"):
        write_gif(clip(3, 16, 16), tmp_path / name)
    sheets = Sheets()
    first, second = sheets.sheet(tmp_path / "a.gif"), sheets.sheet(tmp_path / "b.gif")
    assert first is second and len(sheets.by_content) == 1
    assert first.durations_ms == read_gif(tmp_path / "a.gif").durations_ms
    kind, _, data = first.address.partition(",")
    assert kind == "data:image/webp;base64"
    assert Image.open(io.BytesIO(base64.b64decode(data))).size == (32, 32)


def test_as_files_beside_the_page(tmp_path):
    (tmp_path / "media").mkdir()
    write_gif(clip(3, 16, 16), tmp_path / "a.gif")
    sheet = Sheets(folder=tmp_path / "media").sheet(tmp_path / "a.gif")
    assert Image.open(tmp_path / sheet.address).size == (32, 32)


def test_what_is_no_clip_is_refused(tmp_path):
    (tmp_path / "a.gif").write_text("no")
    with pytest.raises(InputError, match=r"a\.gif"):
        Sheets().sheet(tmp_path / "a.gif")
