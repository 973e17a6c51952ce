from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from giftune.clip import Selection
from giftune.errors import InputError
from giftune.io.limits import Limits
from giftune.io.picture import picture_header, read_picture


def noise(count: int = 1) -> list[Image.Image]:
    return [Image.fromarray(p) for p in np.random.default_rng(0).integers(0, 256, (count, 6, 9, 3), np.uint8)]


def test_a_still_is_a_clip_of_one_frame(tmp_path: Path) -> None:
    noise()[0].save(tmp_path / "a.png")
    clip = read_picture(tmp_path / "a.png")
    assert np.array_equal(clip.pixels()[0], np.asarray(noise()[0])) and clip.durations_ms == (100,)


@pytest.mark.parametrize(("name", "options"), [("a.png", {}), ("a.webp", {"lossless": True})])
@pytest.mark.parametrize(("plays", "loop"), [(0, 0), (1, None), (3, 2)])
def test_animations_keep_frames_time_and_loop(tmp_path: Path, name: str, options, plays: int, loop) -> None:
    images, durations = noise(3), [30, 200, 70]
    path = tmp_path / name
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=plays, **options)
    clip, header = read_picture(path), picture_header(path)
    assert np.array_equal(clip.pixels(), [np.asarray(image) for image in images])
    assert clip.durations_ms == header.durations_ms == tuple(durations)
    assert clip.loop == header.loop == loop and (header.width, header.height) == (9, 6)
    part = read_picture(path, selection=Selection(2, 0, 2))
    assert np.array_equal(part.pixels()[1], np.asarray(images[2])) and part.durations_ms == (230, 70)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA"])
def test_transparency_lies_on_white(tmp_path: Path, mode: str) -> None:
    image = noise()[0].convert(mode)
    if "A" in mode:
        image.putalpha(Image.fromarray(np.arange(54, dtype=np.uint8).reshape(6, 9) * 4))
    image.save(tmp_path / "a.png")
    colours = np.asarray(image.convert("RGBA")).astype(float)
    alpha = colours[..., 3:] / 255
    expected = colours[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(read_picture(tmp_path / "a.png").pixels()[0] - expected).max() <= 1


def test_photographs_are_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.new("RGB", (32, 16))
    image.paste((255, 255, 255), (0, 0, 16, 16))
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    clip, header = read_picture(tmp_path / "a.jpg"), picture_header(tmp_path / "a.jpg")
    assert (clip.width, clip.height) == (header.width, header.height) == (16, 32)
    assert clip.pixels()[0, :15].min() > 200 and clip.pixels()[0, 17:].max() < 55


def test_what_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    noise()[0].resize((200, 200)).save(path)
    with pytest.raises(InputError, match="200 x 200: max_side is 100"):
        read_picture(path, Limits(max_side=100))
    with pytest.raises(InputError, match=r"num_frames=24 .*needs 24 frames, but path .*a\.png has 1"):
        read_picture(path, selection=Selection(24))
    content = path.read_bytes()
    for cut in (10, 30, len(content) // 2):
        path.write_bytes(content[:cut])
        with pytest.raises(InputError, match="damaged or unsupported"):
            read_picture(path)
    Image.fromarray(np.zeros((4, 4), np.uint16)).save(path)
    with pytest.raises(InputError, match="only 8-bit"):
        read_picture(path)
    path.write_bytes(b"GIF89a")
    with pytest.raises(InputError, match="is not a picture"):
        read_picture(path)
