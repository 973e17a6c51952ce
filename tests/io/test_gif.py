import shutil
import subprocess
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageSequence

from giftune.clip import Selection
from giftune.errors import InputError
from giftune.io.gif import read_gif
from giftune.io.limits import Limits
from tests.gif_files import Part, draw, shown, solid, write


@pytest.mark.parametrize("seed", range(40))
def test_frames_are_drawn_by_the_specification(tmp_path: Path, seed: int) -> None:
    width, height, parts = draw(seed)
    clip = read_gif(write(tmp_path / "a.gif", width, height, parts))
    assert np.array_equal(clip.pixels(), shown(width, height, parts))
    assert clip.durations_ms == tuple(part.duration if part.duration > 10 else 100 for part in parts)


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
@pytest.mark.parametrize("seed", range(4))
def test_ffmpeg_sees_the_same(tmp_path: Path, seed: int) -> None:
    width, height, parts = draw(seed)
    path = write(tmp_path / "a.gif", width, height, parts)
    command = ["ffmpeg", "-v", "error", "-i", path, "-vsync", "0", "-f", "rawvideo", "-pix_fmt", "bgra", "-"]
    raw = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8)
    frames = raw.reshape(-1, height, width, 4)
    on_white = np.where(frames[..., 3:] == 0, 255, frames[..., 2::-1])
    assert np.array_equal(read_gif(path).pixels(), on_white)


@pytest.mark.parametrize("mode", ["L", "P", "1"])
def test_what_pillow_writes_comes_back(tmp_path: Path, mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (5, 24, 31), np.uint8)
    images = [Image.fromarray(frame).convert(mode) for frame in noise]
    path = tmp_path / "a.gif"
    images[0].save(path, save_all=True, append_images=images[1:], duration=[20, 30, 40, 50, 60], loop=4)
    clip = read_gif(path)
    assert np.array_equal(clip.pixels(), [np.asarray(image.convert("RGB")) for image in images])
    assert (clip.durations_ms, clip.loop, clip.name) == ((20, 30, 40, 50, 60), 4, "a")


def test_interlaced_rows_are_put_in_order(tmp_path: Path) -> None:
    image = Image.fromarray(np.arange(24 * 31, dtype=np.uint32).reshape(24, 31).astype(np.uint8))
    pixels = []
    for interlace in (0, 1):
        image.save(tmp_path / f"{interlace}.gif", interlace=interlace)
        pixels.append(read_gif(tmp_path / f"{interlace}.gif").pixels()[0, :, :, 0])
    assert np.array_equal(pixels[0], image) and np.array_equal(pixels[1], image)
    assert (tmp_path / "0.gif").read_bytes() != (tmp_path / "1.gif").read_bytes()


@pytest.mark.parametrize("loop", [None, 0, 1, 65535])
def test_the_loop_count_is_read(tmp_path: Path, loop: int | None) -> None:
    assert read_gif(write(tmp_path / "a.gif", 2, 2, [solid(2, 2)], loop)).loop == loop


def test_a_shared_palette_is_used(tmp_path: Path) -> None:
    parts = [solid(3, 2, colour, local=False) for colour in range(4)]
    clip = read_gif(write(tmp_path / "a.gif", 3, 2, parts))
    assert np.array_equal(clip.pixels()[:, 0, 0], parts[0].palette)


def test_a_disposal_method_does_not_stick_to_later_frames(tmp_path: Path) -> None:
    # Pillow's own reader clears the second patch too, although only the first asks for it.
    parts = [solid(1, 1, 0, disposal=2), solid(1, 1, 1, left=1), solid(1, 1, 2, left=2)]
    last = read_gif(write(tmp_path / "a.gif", 3, 1, parts)).pixels()[-1, 0]
    assert last.tolist() == [[255, 255, 255], [0, 255, 0], [0, 0, 255]]


def test_odd_screens(tmp_path: Path) -> None:
    unset = read_gif(write(tmp_path / "a.gif", 0, 0, [solid(5, 4)]))
    assert (unset.width, unset.height) == (5, 4)
    hanging = read_gif(write(tmp_path / "b.gif", 4, 4, [solid(4, 4), solid(4, 4, 1, left=2, top=3)]))
    assert hanging.pixels()[1, 3].tolist() == [[255, 0, 0]] * 2 + [[0, 255, 0]] * 2
    outside = read_gif(write(tmp_path / "c.gif", 4, 4, [solid(4, 4), solid(2, 2, 1, left=9, top=9)]))
    assert np.array_equal(outside.pixels()[0], outside.pixels()[1])


def test_only_the_wanted_frames_are_kept(tmp_path: Path) -> None:
    width, height, parts = draw(8)
    assert len(parts) >= 4
    path = write(tmp_path / "a.gif", width, height, parts)
    some = read_gif(path, selection=Selection(2, 1, 2))
    assert np.array_equal(some.pixels(), read_gif(path).pixels()[1:4:2])
    assert sum(some.durations_ms) == sum(read_gif(path).durations_ms[1:5])
    with pytest.raises(
        InputError, match=rf"num_frames=24 .*needs 24 frames, but path .*a.gif has {len(parts)}"
    ):
        read_gif(path, selection=Selection(24))


def test_limits_hold_before_anything_is_decoded(tmp_path: Path) -> None:
    broken = Part(0, 0, np.zeros((1, 1), np.uint8), np.zeros((2, 3), np.uint8))
    many = write(tmp_path / "many.gif", 1, 1, [broken] * 30)
    with pytest.raises(InputError, match="max_frames is 20"):
        read_gif(many, Limits(max_frames=20))
    with pytest.raises(InputError, match="30 pixels in all: max_pixels is 29"):
        read_gif(many, Limits(max_pixels=29))
    assert len(read_gif(many, Limits(max_pixels=29), Selection(5))) == 5
    with pytest.raises(InputError, match="20000 x 20000: max_side is 8192"):
        read_gif(write(tmp_path / "wide.gif", 20000, 20000, [broken]))
    with pytest.raises(InputError, match="max_bytes is 10"):
        read_gif(many, Limits(max_bytes=10))


def test_damaged_pixels_are_refused_with_the_frame(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", 9, 9, [solid(9, 9), solid(9, 9, 1)])
    content = bytearray(path.read_bytes())
    at = content.rindex(b"\x2c") + 10 + 12 + 2
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    with pytest.raises(InputError, match="is damaged: frame 1"):
        read_gif(path)


@pytest.mark.parametrize("num_frames", [4, pytest.param(None, marks=pytest.mark.slow)])
def test_real_gifs_equal_pillow(shared_folder: Path, num_frames: int | None) -> None:
    paths = sorted((shared_folder / "published").glob("*/*.gif"))
    assert len(paths) == 12
    for path in paths if num_frames is None else paths[:2]:
        clip = read_gif(path, selection=Selection(num_frames))
        with Image.open(path) as image:
            frames = islice(ImageSequence.Iterator(image), num_frames)
            assert np.array_equal(clip.pixels(), [np.asarray(frame.convert("RGB")) for frame in frames])
            assert clip.loop == image.info["loop"] and set(clip.durations_ms) == {130}
