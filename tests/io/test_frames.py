from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from giftune.clip import Clip, Selection
from giftune.errors import InputError
from giftune.io.frames import frames_header, read_frames, write_frames
from giftune.io.limits import Limits


def numbered(count: int) -> np.ndarray:
    """Frames whose grey level is their number."""
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(5, 2).repeat(3, 3)


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), np.uint8)
    write_frames(Clip.from_pixels(pixels, (10, 20, 30)), tmp_path / "clip")
    assert sorted(file.name for file in (tmp_path / "clip").iterdir()) == [
        "00000.png",
        "00001.png",
        "00002.png",
    ]
    clip = read_frames(tmp_path / "clip", fps=8)
    assert np.array_equal(clip.pixels(), pixels)
    assert (clip.durations_ms, clip.loop, clip.name) == ((125, 125, 125), 0, "clip")


def test_order_is_natural_and_other_files_do_not_matter(tmp_path: Path) -> None:
    for number in (10, 9, 2, 100, 1):
        Image.fromarray(numbered(101)[number]).save(tmp_path / f"frame{number}.PNG")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "._frame1.png").write_text("x")
    assert read_frames(tmp_path).pixels()[:, 0, 0, 0].tolist() == [1, 2, 9, 10, 100]


def test_only_the_wanted_pictures_are_opened(tmp_path: Path) -> None:
    write_frames(Clip.from_pixels(numbered(6), (9,) * 6), tmp_path)
    for broken in (0, 2, 5):
        (tmp_path / f"0000{broken}.png").write_text("broken")
    clip = read_frames(tmp_path, 30, selection=Selection(2, 1, 2))
    assert clip.pixels()[:, 0, 0, 0].tolist() == [1, 3] and clip.durations_ms == (34 + 33, 33 + 34)
    with pytest.raises(InputError, match=r"00000\.png is not a clip"):
        read_frames(tmp_path)


def test_the_header_describes_the_folder(tmp_path: Path) -> None:
    write_frames(Clip.from_pixels(numbered(6), (9,) * 6), tmp_path)
    header = frames_header(tmp_path, 30)
    assert (header.width, header.height, sum(header.durations_ms), header.format) == (5, 4, 200, "folder")


def test_what_is_no_clip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        read_frames(tmp_path)
    with pytest.raises(InputError, match="is not a folder"):
        read_frames(tmp_path / "absent")
    write_frames(Clip.from_pixels(numbered(3), (9,) * 3), tmp_path)
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match=f"fps={fps}"):
            read_frames(tmp_path, fps)
    with pytest.raises(InputError, match="max_pixels is 59"):
        read_frames(tmp_path, limits=Limits(max_pixels=59))
    with pytest.raises(InputError, match=r"num_frames=24 .*needs 24 frames, but path .* has 3"):
        read_frames(tmp_path, selection=Selection(24))
    Image.new("RGB", (7, 4)).save(tmp_path / "00002.png")
    with pytest.raises(InputError, match=r"00002\.png is 7 x 4, but the first frame is 5 x 4"):
        read_frames(tmp_path)


def test_frames_are_not_mixed_with_older_ones(tmp_path: Path) -> None:
    write_frames(Clip.from_pixels(numbered(3), (9,) * 3), tmp_path)
    with pytest.raises(InputError, match="already holds pictures"):
        write_frames(Clip.from_pixels(numbered(2), (9,) * 2), tmp_path)
    with pytest.raises(InputError, match="cannot be made"):
        write_frames(Clip.from_pixels(numbered(2), (9,) * 2), tmp_path / "no" / "folder")


def test_jpegs_are_nearly_what_they_were(tmp_path):
    y, x = torch.linspace(-1, 1, 24)[:, None], torch.linspace(-1, 1, 32)
    frame = torch.stack([y + 0 * x, 0 * y + x, y * x])
    write_frames(Clip(torch.stack([frame, -frame]), (125, 125)), tmp_path / "clip", ".jpg")
    assert sorted(file.name for file in (tmp_path / "clip").iterdir()) == ["00000.jpg", "00001.jpg"]
    with Image.open(tmp_path / "clip" / "00000.jpg") as image:
        assert image.format == "JPEG"
    again = read_frames(tmp_path / "clip").frames
    assert (again - torch.stack([frame, -frame])).abs().max() < 0.05
