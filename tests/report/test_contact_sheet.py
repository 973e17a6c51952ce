from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.report._drawing import GAP, MARGIN, PAPER
from giftune.report.contact_sheet import contact_sheet


def clip(num_frames: int = 3, height: int = 64, width: int = 64, seed: int = 0) -> Clip:
    noise = np.random.default_rng(seed).integers(0, 200, (num_frames, height, width, 3), np.uint8)
    return Clip.from_pixels(noise, (100,) * num_frames)


def sheet(path: Path, rows, **options) -> np.ndarray:
    contact_sheet(rows, path, **options)
    with Image.open(path) as image:
        assert image.format == "PNG"
        return np.asarray(image.convert("RGB"))


def find(page: np.ndarray, tile: np.ndarray) -> list[tuple[int, int]]:
    """Where a picture lies on the page, found by its first row."""
    height, width = tile.shape[:2]
    starts = (page[: page.shape[0] - height + 1, : page.shape[1] - width + 1] == tile[0, 0]).all(-1)
    spots = [(int(top), int(left)) for top, left in np.argwhere(starts)]
    return [(t, x) for t, x in spots if np.array_equal(page[t : t + height, x : x + width], tile)]


def test_every_frame_is_there_in_order_with_whole_pixels(tmp_path: Path) -> None:
    source, edit = clip(seed=1), clip(seed=2)
    page = sheet(tmp_path / "a.png", [("source", source), ("edit", edit)])
    places = []
    for row in (source, edit):
        for picture in row.pixels():
            (place,) = find(page, picture.repeat(2, axis=0).repeat(2, axis=1))
            places.append(place)
    assert places == sorted(places)
    assert [left for _, left in places] == [MARGIN + k * (128 + GAP) for k in range(3)] * 2
    assert (page[:MARGIN] == PAPER).all() and (page[-MARGIN:] == PAPER).all()


def test_long_clips_show_frames_spread_over_them(tmp_path: Path) -> None:
    long = clip(12, 100, 100)
    page = sheet(tmp_path / "a.png", [("long", long)], max_columns=4)
    shown = [k for k, picture in enumerate(long.pixels()) if find(page, picture)]
    assert shown == [0, 3, 6, 9]


def test_large_frames_are_shrunk(tmp_path: Path) -> None:
    page = sheet(tmp_path / "a.png", [("large", clip(2, 600, 300))])
    assert page.shape[0] < 400


def test_captions_are_drawn_and_never_cut_the_sheet(tmp_path: Path) -> None:
    still = clip(1, 16, 16)
    blank = sheet(tmp_path / "a.png", [("", still)])
    for text in ("a man is skiing", "größer, Привет", "🐰" * 5, "word " * 300, "x" * 3000, "two\nlines"):
        page = sheet(tmp_path / "b.png", [(text, still)])
        assert page.shape[1] == blank.shape[1] and page.shape[0] < blank.shape[0] + 100
        ink = (page != PAPER).any(axis=2)
        assert (
            ink[MARGIN : MARGIN + 20].sum() > 10
            and not ink[:, : MARGIN - 2].any()
            and not ink[:, -MARGIN + 2 :].any()
        )


def test_different_texts_look_different(tmp_path: Path) -> None:
    one, other = (sheet(tmp_path / "a.png", [(text, clip(1))]) for text in ("größer", "größen"))
    assert one.shape == other.shape and (one != other).any()


def test_clips_of_different_sizes_share_a_sheet(tmp_path: Path) -> None:
    rows = [("a", clip(2, 64, 64)), ("b", clip(5, 200, 120)), ("c", Clip(torch.zeros(1, 3, 1, 1), (9,)))]
    assert sheet(tmp_path / "a.png", rows).shape[2] == 3


def test_nothing_to_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rows=0"):
        contact_sheet([], tmp_path / "a.png")
    with pytest.raises(InputError, match="max_columns=0"):
        contact_sheet([("a", clip())], tmp_path / "a.png", max_columns=0)
    with pytest.raises(InputError, match="cannot be written"):
        contact_sheet([("a", clip())], tmp_path / "absent" / "a.png")
