from pathlib import Path

import pytest

from giftune.errors import InputError
from giftune.io.limits import Limits
from giftune.io.video_header import video_header
from tests.videos import pictures, write


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.mp4", "mpeg4"), ("a.webm", "libvpx")])
def test_size_and_times_are_read(tmp_path: Path, name: str, codec: str) -> None:
    header = video_header(write(tmp_path / name, pictures(9), codec=codec), Limits())
    assert (header.width, header.height, header.loop) == (64, 48, 0)
    assert header.durations_ms == (40,) * 9 and len(header.ticks) == 9
    assert header.format == name[2:]


def test_a_changing_rate_is_kept(tmp_path: Path) -> None:
    times = [0, 40, 200, 240, 500, 540]
    header = video_header(write(tmp_path / "a.mp4", pictures(6), times), Limits())
    assert header.durations_ms[:5] == (40, 160, 40, 260, 40)


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_turned_videos_have_the_size_that_is_shown(tmp_path: Path, rotation: int) -> None:
    header = video_header(write(tmp_path / "a.mp4", pictures(3), rotation=rotation), Limits())
    assert (header.width, header.height) == ((64, 48) if rotation == 180 else (48, 64))


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "libx264"), ("a.webm", "libvpx")])
@pytest.mark.parametrize("sound_s", [0.0, 2.0])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.85])
def test_a_file_cut_off_is_noticed(
    tmp_path: Path, name: str, codec: str, sound_s: float, part: float
) -> None:
    path = write(tmp_path / name, pictures(50), codec=codec, sound_s=sound_s)
    assert len(video_header(path, Limits()).ticks) == 50
    path.write_bytes(path.read_bytes()[: int(part * path.stat().st_size)])
    with pytest.raises(InputError, match=r"a\.(mp4|webm) is truncated"):
        video_header(path, Limits())


def test_sound_longer_than_the_pictures_is_no_truncation(tmp_path: Path) -> None:
    for name, codec in (("a.mp4", "mpeg4"), ("a.webm", "libvpx")):
        header = video_header(write(tmp_path / name, pictures(5), codec=codec, sound_s=3.0), Limits())
        assert len(header.ticks) == 5


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    for content, message in (
        (b"", "is empty"),
        (b"just text", "is not a clip"),
        (b"GIF89a", "is not a video"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(50), "is truncated or damaged"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=message):
            video_header(path, Limits())
    with pytest.raises(InputError, match="64 x 48: max_side is 63"):
        video_header(write(path, pictures(3)), Limits(max_side=63))
