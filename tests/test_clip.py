import numpy as np
import pytest
import torch
from PIL import Image

from giftune.clip import Clip, Selection
from giftune.errors import InputError


def clip(num_frames: int = 6, height: int = 4, width: int = 5) -> Clip:
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(num_frames, 3, height, width, generator=generator) * 2 - 1
    return Clip(frames, tuple(10 * (k + 1) for k in range(num_frames)), 3, "ball")


def test_every_byte_survives_the_way_to_floats_and_back() -> None:
    pixels = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)
    made = Clip.from_pixels(pixels, (40,))
    assert made.frames.is_contiguous() and (made.frames.min(), made.frames.max()) == (-1, 1)
    assert np.array_equal(made.pixels(), pixels)


def test_pixels_saturate_and_refuse_nan() -> None:
    assert clip(1).with_frames(torch.full((1, 3, 1, 2), 7.0)).pixels().min() == 255
    with pytest.raises(InputError, match="ball has pixels that are not finite"):
        clip(1).with_frames(torch.full((1, 3, 1, 2), torch.nan)).pixels()


@pytest.mark.parametrize(
    ("frames", "durations", "message"),
    [
        (torch.zeros(2, 1, 4, 4), (10, 10), "f 3 h w"),
        (torch.zeros(0, 3, 4, 4), (), "f 3 h w"),
        (torch.zeros(2, 3, 4, 4, dtype=torch.float64), (10, 10), "float32"),
        (torch.zeros(2, 3, 4, 4), (10,), "1 entries for 2 frames"),
        (torch.zeros(2, 3, 4, 4), (10, 0), "positive"),
    ],
)
def test_what_is_no_clip_is_refused(frames, durations, message) -> None:
    # Type checks in tests would refuse the first cases before the class can.
    made = object.__new__(Clip)
    for field, value in (("frames", frames), ("durations_ms", durations), ("loop", 0), ("name", "x")):
        object.__setattr__(made, field, value)
    with pytest.raises(InputError, match=message):
        made.__post_init__()


def test_slices_keep_pictures_with_their_time() -> None:
    part = clip()[2:4]
    assert torch.equal(part.frames, clip().frames[2:4]) and part.durations_ms == (30, 40)
    assert (part.loop, part.name, len(part), part.height, part.width) == (3, "ball", 2, 4, 5)
    with pytest.raises(InputError, match="6 frames is empty"):
        clip()[6:]


def test_sampling_with_a_stride_adds_the_time_of_skipped_frames() -> None:
    kept = clip().sample(2, start=1, stride=2)
    assert torch.equal(kept.frames, clip().frames[[1, 3]])
    assert kept.durations_ms == (20 + 30, 40 + 50)


@pytest.mark.parametrize(("num_frames", "start"), [(1, 0), (4, 0), (6, 0), (1, 1), (2, 1), (5, 1)])
def test_uniform_sampling_preserves_the_playing_time(num_frames: int, start: int) -> None:
    selection = Selection(num_frames, start, None)
    indices = selection.indices(6, "clip")
    kept = clip().sample(num_frames, start, stride=None)
    assert len(set(indices)) == num_frames and indices[0] == start
    assert max(np.diff(indices), default=0) - min(np.diff(indices), default=0) <= 1
    assert torch.equal(kept.frames, clip().frames[list(indices)])
    assert sum(kept.durations_ms) == sum(clip().durations_ms[start:])


def test_asking_for_more_than_there_is_names_both_numbers() -> None:
    with pytest.raises(InputError, match=r"num_frames=4 .*stride=2 needs 7 frames, but clip ball has 6"):
        clip().sample(4, stride=2)
    with pytest.raises(InputError, match=r"num_frames=7 .*needs 7 frames, but clip ball has 6"):
        clip().sample(7, stride=None)
    with pytest.raises(InputError, match=r"num_frames=all .*start=6 .*needs 7 frames, but the GIF has 6"):
        Selection(None, 6).indices(6, "the GIF")
    for wrong in (Selection(0), Selection(1, -1), Selection(1, 0, 0)):
        with pytest.raises(InputError, match="at least"):
            wrong.indices(6, "clip")


@pytest.mark.parametrize(("height", "width"), [(16, 24), (9, 31), (40, 20)])
def test_stretch_is_close_to_pillow(height: int, width: int) -> None:
    ramp = np.add.outer(np.arange(30), 2 * np.arange(40))
    pixels = np.stack([ramp, ramp[::-1], ramp[:, ::-1]], axis=-1).astype(np.uint8)
    ours = Clip.from_pixels(pixels[None], (40,)).fit(height, width, "stretch").pixels()[0]
    theirs = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BICUBIC))
    assert np.abs(ours.astype(int) - theirs).max() <= 1


def test_shrinking_is_antialiased() -> None:
    board = torch.zeros(1, 3, 32, 32)
    board[..., ::2, ::2] = board[..., 1::2, 1::2] = 1
    assert (Clip(board, (40,)).fit(8, 8).frames - 0.5).abs().max() < 0.05


@pytest.mark.parametrize("mode", ["crop", "pad", "stretch"])
def test_fit_gives_the_size_asked_for_and_nothing_to_do_does_nothing(mode) -> None:
    for size in ((7, 9), (9, 7), (1, 1), (64, 3)):
        fitted = clip(2).fit(*size, mode)
        assert fitted.frames.shape == (2, 3, *size) and fitted.durations_ms == (10, 20)
        assert fitted.frames.abs().max() <= 1
    assert torch.equal(clip().fit(4, 5, mode).frames, clip().frames)


def test_crop_takes_the_centre_and_keeps_the_aspect() -> None:
    source = clip(2, 4, 8)
    assert torch.equal(source.fit(4, 4, "crop").frames, source.frames[..., 2:6])
    assert torch.equal(source.fit(2, 8, "crop").frames, source.frames[..., 1:3, :])
    twice = source.fit(8, 8, "crop").frames
    assert torch.allclose(twice, source.fit(8, 16, "stretch").frames[..., 4:12])


def test_pad_keeps_everything_between_bars_of_the_edge_colour() -> None:
    source = clip(2, 4, 8)
    padded = source.fit(8, 8, "pad").frames
    assert torch.allclose(padded[:, :, 2:6], source.frames)
    colour = source.frames[:, :, [0, 3]].mean(dim=(0, 2, 3))
    for bar in (padded[:, :, :2], padded[:, :, 6:]):
        assert torch.allclose(bar, colour.view(1, 3, 1, 1).expand_as(bar), atol=1e-6)


def test_wrong_sizes_and_counts_are_refused() -> None:
    with pytest.raises(InputError, match="height=0"):
        clip().fit(0, 4)
    with pytest.raises(InputError, match="7 frames, but clip ball has 6"):
        clip().with_frames(torch.zeros(7, 3, 4, 5))


def test_content_hash_sees_pixels_and_shape_only() -> None:
    source = clip()
    other = Clip(source.frames.clone(), (10,) * 6, None, "other")
    assert source.content_hash() == other.content_hash() and len(source.content_hash()) == 64
    assert source.content_hash() != source.with_frames(source.frames.reshape(6, 3, 5, 4)).content_hash()
    other.frames[0, 0, 0, 0] += 1e-6
    assert source.content_hash() != other.content_hash()
