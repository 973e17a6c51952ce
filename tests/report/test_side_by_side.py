from pathlib import Path

import numpy as np
import pytest

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.gif import read_gif
from giftune.report._drawing import MARGIN, PAPER
from giftune.report.side_by_side import side_by_side


def grey(levels: list[int], side: int = 64, loop: int | None = 0) -> Clip:
    """A clip whose frames are plain; grey levels tell which is which."""
    pixels = np.array(levels, np.uint8)[:, None, None, None].repeat(side, 1).repeat(side, 2).repeat(3, 3)
    return Clip.from_pixels(pixels, tuple(30 + 10 * k for k in range(len(levels))), loop)


def test_timing_and_loop_are_those_of_the_source(tmp_path: Path) -> None:
    source, edit = grey([0, 50, 100], loop=5), grey([30, 30, 30], loop=None)
    side_by_side([("source", source), ("edit", edit)], tmp_path / "a.gif")
    clip = read_gif(tmp_path / "a.gif")
    assert clip.durations_ms == source.durations_ms and clip.loop == 5


def test_clips_play_beside_each_other(tmp_path: Path) -> None:
    side_by_side([("", grey([10, 20, 30])), ("", grey([110, 120, 130]))], tmp_path / "a.gif")
    pixels = read_gif(tmp_path / "a.gif").pixels()
    left, right = MARGIN + 10, pixels.shape[2] - MARGIN - 10
    assert pixels[:, MARGIN + 10, left, 0].tolist() == [10, 20, 30]
    assert pixels[:, MARGIN + 10, right, 0].tolist() == [110, 120, 130]
    assert (pixels[:, :MARGIN] == PAPER).all()
    assert (pixels[0] != PAPER).any(axis=2).sum() == 2 * 192 * 192


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(1, 1, 1), (4, 4, 1), (5, 3, 2), (7, 4, 2), (9, 3, 3)]
)
def test_many_clips_make_a_grid(tmp_path: Path, count: int, columns: int, rows: int) -> None:
    side_by_side([("x", grey([10 * k])) for k in range(count)], tmp_path / "a.gif")
    page = read_gif(tmp_path / "a.gif").pixels()[0]
    assert page.shape[1] // 200 == columns and page.shape[0] // 200 == rows
    solid = [np.count_nonzero((page == 10 * k).all(axis=2)) >= 192 * 192 for k in range(count)]
    assert all(solid)


def test_edits_of_another_length_play_over_the_same_time(tmp_path: Path) -> None:
    side_by_side([("", grey([0] * 4)), ("", grey([100, 200]))], tmp_path / "a.gif")
    pixels = read_gif(tmp_path / "a.gif").pixels()
    assert pixels[:, MARGIN + 10, -MARGIN - 10, 0].tolist() == [100, 100, 200, 200]


def test_captions_lie_under_their_clip_and_stay_in_its_width(tmp_path: Path) -> None:
    side_by_side([("", grey([0])), ("word " * 100, grey([0]))], tmp_path / "a.gif")
    page = read_gif(tmp_path / "a.gif").pixels()[0]
    ink = (page[MARGIN + 192 :] != PAPER).any(axis=2)
    assert ink.sum() > 100 and not ink[:, : MARGIN + 192].any() and not ink[:, -MARGIN + 2 :].any()


def test_large_clips_are_shrunk_and_sizes_may_differ(tmp_path: Path) -> None:
    side_by_side([("a", grey([0, 9], 700)), ("b", grey([0, 9], 64))], tmp_path / "a.gif")
    assert read_gif(tmp_path / "a.gif").width < 2 * 320 + 100


def test_nothing_to_show_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="rows"):
        side_by_side([], tmp_path / "a.gif")
