import numpy as np
import pytest

from giftune.io.gif_palette import Indexed, changed_box, quantize


def noise(num_frames: int = 2, side: int = 20) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, side, side, 3), np.uint8)


@pytest.mark.parametrize(("quality", "most"), [("small", 128), ("balanced", 256), ("best", 256)])
def test_palettes_have_the_promised_size(quality: str, most: int) -> None:
    frames = list(quantize(noise(), quality))
    assert len(frames) == 2
    for frame in frames:
        assert len(np.unique(frame.rgb().reshape(-1, 3), axis=0)) <= most
    shared = len(np.unique(np.concatenate([frame.rgb().reshape(-1, 3) for frame in frames]), axis=0))
    assert (shared <= 128) == (quality == "small")


def test_undithered_pixels_take_a_close_colour() -> None:
    y, x = np.mgrid[:64, :64]
    frame = np.stack([4 * x, 4 * y, 2 * x + 2 * y], axis=-1).astype(np.uint8)
    (indexed,) = quantize(frame[None], "balanced")
    error = np.abs(indexed.rgb().astype(int) - frame).max(axis=2)
    distances = np.abs(frame[:, :, None].astype(int) - indexed.palette[None, None]).max(axis=3).min(axis=2)
    assert error.mean() < 1.5 * distances.mean() + 1 and error.max() < 40


def test_trimming_changes_nothing_that_is_seen() -> None:
    frame = Indexed(np.array([[7, 7], [200, 3]], np.uint8), noise(1, 16).reshape(256, 3))
    trimmed = frame.trimmed()
    assert np.array_equal(trimmed.rgb(), frame.rgb()) and len(trimmed.palette) == 3


def test_the_changed_box_holds_every_change_and_no_more() -> None:
    before = noise(1)[0]
    assert changed_box(None, before) == (0, 0, 20, 20)
    assert changed_box(before, before) == (0, 0, 1, 1)
    after = before.copy()
    after[3, 5, 2] ^= 1
    after[8, 17, 0] ^= 1
    assert changed_box(before, after) == (5, 3, 18, 9)
