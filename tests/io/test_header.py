from pathlib import Path

import pytest
from PIL import Image

from giftune.errors import InputError
from giftune.io.header import sniff
from giftune.io.limits import Limits
from tests.videos import pictures, write


@pytest.mark.parametrize("kind", ["gif", "png", "jpeg", "webp"])
def test_pictures_are_known_by_content(tmp_path: Path, kind: str) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.txt", format=kind)
    assert sniff(tmp_path / "a.txt", Limits()) == kind


@pytest.mark.parametrize(
    ("suffix", "kind"), [("mp4", "mp4"), ("mov", "mp4"), ("webm", "webm"), ("mkv", "webm")]
)
def test_videos_are_known_by_content(tmp_path: Path, suffix: str, kind: str) -> None:
    codec = "libvpx" if suffix == "webm" else "mpeg4"
    assert sniff(write(tmp_path / f"a.{suffix}", pictures(2), codec=codec), Limits()) == kind


def test_a_file_must_be_there_and_hold_a_clip(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "a.gif"
    with pytest.raises(InputError, match=r"path .*a\.gif does not exist"):
        sniff(path, Limits())
    with pytest.raises(InputError, match="is not a regular file"):
        sniff(tmp_path, Limits())
    path.write_bytes(b"")
    with pytest.raises(InputError, match="is empty"):
        sniff(path, Limits())
    for content in (
        b"GIF",
        b"%PDF-1.7",
        b"#EXTM3U\nhttp://",
        b"RIFF\x00\x00\x00\x00AVI ",
        bytes(4) + b"ftypavif",
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match="must be one of gif, png, jpeg, webp, mp4, webm"):
            sniff(path, Limits())
    path.write_bytes(b"GIF89a")
    with pytest.raises(InputError, match="max_bytes is 5"):
        sniff(path, Limits(max_bytes=5))
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        sniff(tmp_path / ("x" * 300), Limits())
