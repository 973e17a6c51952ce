from itertools import accumulate
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageFilter, ImageSequence

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.gif import read_gif, write_gif

QUALITIES = ("small", "balanced", "best")


def smooth(num_frames: int = 5, side: int = 64) -> Clip:
    """A colourful gradient that moves."""
    y, x = np.mgrid[:side, :side] / side
    waves = [[np.sin(3 * x + k / 8), np.cos(2 * y - k / 9), x * y] for k in range(num_frames)]
    pixels = (100 * np.moveaxis(np.array(waves), 1, -1) + 128).clip(0, 255).astype(np.uint8)
    return Clip.from_pixels(np.ascontiguousarray(pixels), (100,) * num_frames)


def few_colours(num_frames: int = 4) -> Clip:
    noise = np.random.default_rng(1)
    palette = noise.integers(0, 256, (100, 3)).astype(np.uint8)
    return Clip.from_pixels(palette[noise.integers(0, 100, (num_frames, 13, 17))], (70,) * num_frames)


def by_pillow(path: Path) -> tuple[np.ndarray, list[int], int | None]:
    with Image.open(path) as image:
        frames, delays = [], []
        for frame in ImageSequence.Iterator(image):
            frames.append(np.asarray(frame.convert("RGB")))
            delays.append(frame.info["duration"])
        return np.stack(frames), delays, image.info.get("loop")


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / np.mean((a.astype(float) - b) ** 2))


@pytest.mark.parametrize("quality", QUALITIES)
def test_256_colours_a_frame_are_kept_exactly(tmp_path: Path, quality) -> None:
    path = tmp_path / "a.gif"
    write_gif(few_colours(), path, quality)
    assert np.array_equal(read_gif(path).pixels(), few_colours().pixels())
    assert np.array_equal(by_pillow(path)[0], few_colours().pixels())


@pytest.mark.parametrize("quality", QUALITIES)
def test_frames_equal_to_their_neighbour_stay(tmp_path: Path, quality) -> None:
    still = smooth(1).frames.repeat(7, 1, 1, 1)
    durations = (100, 40, 70, 20, 1000, 60, 90)
    write_gif(Clip(still, durations, 2), tmp_path / "a.gif", quality)
    pixels, delays, loop = by_pillow(tmp_path / "a.gif")
    assert (len(pixels), delays, loop) == (7, list(durations), 2)
    assert (pixels == pixels[0]).all()


@pytest.mark.parametrize("quality", QUALITIES)
def test_what_is_read_is_written_unchanged(tmp_path: Path, quality) -> None:
    write_gif(smooth(), tmp_path / "a.gif", quality)
    first = read_gif(tmp_path / "a.gif")
    write_gif(first, tmp_path / "b.gif", "balanced")
    assert torch.equal(read_gif(tmp_path / "b.gif").frames, first.frames)
    assert np.array_equal(by_pillow(tmp_path / "a.gif")[0], first.pixels())


@pytest.mark.parametrize("loop", [None, 0, 1, 65535])
def test_the_loop_count_is_kept(tmp_path: Path, loop: int | None) -> None:
    source = smooth(2)
    write_gif(Clip(source.frames, (50, 60), loop), tmp_path / "a.gif")
    assert read_gif(tmp_path / "a.gif").loop == loop and by_pillow(tmp_path / "a.gif")[2] == loop


def test_time_is_kept_although_gif_counts_hundredths(tmp_path: Path) -> None:
    durations = (125, 125, 33, 34, 33, 42, 41, 42, 1000, 27)
    write_gif(Clip(torch.zeros(10, 3, 2, 2), durations), tmp_path / "a.gif")
    delays = by_pillow(tmp_path / "a.gif")[1]
    for wanted, written in zip(accumulate(durations), accumulate(delays), strict=True):
        assert abs(wanted - written) <= 5


def test_no_frame_is_so_short_that_browsers_slow_it_down(tmp_path: Path) -> None:
    write_gif(Clip(torch.zeros(4, 3, 2, 2), (5, 5, 10, 80)), tmp_path / "a.gif")
    assert by_pillow(tmp_path / "a.gif")[1] == [20, 20, 20, 40]


def test_the_same_clip_gives_the_same_bytes(tmp_path: Path) -> None:
    for quality in QUALITIES:
        for name in ("a.gif", "b.gif"):
            write_gif(smooth(), tmp_path / name, quality)
        assert (tmp_path / "a.gif").read_bytes() == (tmp_path / "b.gif").read_bytes()


def test_each_quality_is_worth_its_bytes(tmp_path: Path) -> None:
    source = smooth(6, 96)
    sizes, plain, blurred = [], [], []

    def blur(pixels: np.ndarray) -> np.ndarray:
        soft = [Image.fromarray(frame).filter(ImageFilter.GaussianBlur(1)) for frame in pixels]
        return np.stack([np.asarray(frame) for frame in soft])

    for quality in QUALITIES:
        path = tmp_path / f"{quality}.gif"
        write_gif(source, path, quality)
        sizes.append(path.stat().st_size)
        plain.append(psnr(source.pixels(), read_gif(path).pixels()))
        blurred.append(psnr(blur(source.pixels()), blur(read_gif(path).pixels())))
    assert sizes == sorted(sizes) and blurred == sorted(blurred)
    assert plain[0] > 30 and plain[1] > 35 and blurred[2] > 43


def test_only_what_changed_is_written(tmp_path: Path) -> None:
    source = few_colours(1).frames.repeat(2, 1, 1, 1)
    write_gif(Clip(source[:1], (50,)), tmp_path / "one.gif")
    source[1, :, 4:6, 7:9] *= -1
    write_gif(Clip(source, (50, 50)), tmp_path / "two.gif")
    added = (tmp_path / "two.gif").stat().st_size - (tmp_path / "one.gif").stat().st_size
    assert added < 60 and np.array_equal(
        read_gif(tmp_path / "two.gif").pixels(), Clip(source, (9, 9)).pixels()
    )


@pytest.mark.parametrize(
    ("clip", "message"),
    [
        (Clip(torch.zeros(1, 3, 2, 2), (50,), 65536), "loop=65536 does not fit"),
        (Clip(torch.zeros(1, 3, 2, 2), (50,), -1), "loop=-1 does not fit"),
        (Clip(torch.zeros(1, 3, 2, 2), (700_000,)), "700000 ms does not fit a GIF: 655350"),
        (Clip(torch.zeros(1, 3, 1, 65536), (50,)), "65536 x 1 does not fit a GIF: 65535"),
        (Clip(torch.full((1, 3, 2, 2), torch.inf), (50,)), "not finite"),
    ],
)
def test_what_gif_cannot_say_is_refused_and_nothing_is_written(
    tmp_path: Path, clip: Clip, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        write_gif(clip, tmp_path / "a.gif")
    with pytest.raises(InputError, match=r"absent/a\.gif cannot be written"):
        write_gif(smooth(1), tmp_path / "absent" / "a.gif")
    assert not list(tmp_path.iterdir())
