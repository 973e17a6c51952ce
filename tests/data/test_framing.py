import pytest
import torch

from giftune.clip import Clip
from giftune.data.framing import Framing
from giftune.errors import InputError


def smooth_clip(height, width):
    """Slow waves over the picture, which survive resizing."""
    y, x = torch.linspace(0, 3, height)[:, None], torch.linspace(0, 4, width)
    frames = torch.stack([torch.sin(x + i) * torch.cos(y) for i in range(3)])
    return Clip(frames[:, None].repeat(1, 3, 1, 1) * 0.8, (70, 80, 90), loop=None)


@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
@pytest.mark.parametrize("shape", [(90, 160), (160, 90), (64, 64), (50, 173)])
def test_the_picture_returns(fit, shape):
    clip = smooth_clip(*shape)
    framing = Framing.around(clip, 96, 8, fit)
    seen = framing.apply(clip)
    assert seen.height % 8 == seen.width % 8 == 0
    assert 0.8 < seen.height * seen.width / 96**2 < 1.25
    back = framing.restore(seen)
    assert back.durations_ms == clip.durations_ms and back.loop is None
    if fit == "crop":
        top, left = (clip.height - back.height) // 2, (clip.width - back.width) // 2
        clip = clip.with_frames(clip.frames[..., top : top + back.height, left : left + back.width])
    assert (back.height, back.width) == (clip.height, clip.width)
    assert (back.frames - clip.frames).abs().max() < 0.08


def test_without_a_size_the_clip_keeps_its_own():
    clip = smooth_clip(50, 173)
    framing = Framing.around(clip, None, 1, "pad")
    assert framing.apply(clip) is clip and framing.restore(clip).frames.equal(clip.frames)
    framing = Framing.around(clip, None, 8, "pad")
    assert (framing.height, framing.width) == (48, 176)


def test_padding_keeps_the_whole_picture_and_its_proportions():
    clip = smooth_clip(60, 160)
    framing = Framing.around(clip, 64, 8, "pad")
    assert framing.height / framing.width == pytest.approx(60 / 160, rel=0.15)
    bars = framing.apply(clip).frames.std(dim=-1) < 1e-4
    assert 0 < bars.float().mean() < 0.25


def test_refuses_a_size_that_the_network_cannot_halve():
    with pytest.raises(InputError, match=r"data\.size is 50, it must be a multiple of 8"):
        Framing.around(smooth_clip(64, 64), 50, 8, "pad")


@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
def test_a_square_frame_for_clips_of_any_shape(fit):
    clip = smooth_clip(90, 160)
    framing = Framing.around(clip, 96, 8, fit, square=True)
    seen = framing.apply(clip)
    assert (seen.height, seen.width) == (96, 96)
    assert Framing.around(clip, None, 8, fit, square=True).height == 120
    back = framing.restore(seen)
    assert (back.height, back.width) == ((90, 90) if fit == "crop" else (90, 160))
    if fit == "stretch":
        assert (back.frames - clip.frames).abs().max() < 0.08


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("fit", ["pad", "stretch", "crop"])
def test_a_mask_is_framed_as_its_clip(fit, square):
    mask = torch.zeros(3, 40, 100)
    mask[:, 10:30, 20:80] = 1
    clip = Clip((2 * mask - 1)[:, None].repeat(1, 3, 1, 1), (70, 80, 90), loop=None)
    framing = Framing.around(clip, 64, 8, fit, square)
    framed = framing.apply_mask(mask)
    seen = (framing.apply(clip).frames[:, 0] + 1) / 2
    assert framed.shape == (3, framing.height, framing.width)
    torch.testing.assert_close(framed, seen.clamp(0, 1), atol=1e-6, rtol=0)
    assert framed.min() == 0 and framed.max() == 1


def test_bars_are_background_even_where_the_subject_touches_the_side():
    mask = torch.ones(2, 30, 100)
    clip = Clip((2 * mask - 1)[:, None].repeat(1, 3, 1, 1), (70, 80))
    framing = Framing.around(clip, 64, 8, "pad", square=True)
    framed = framing.apply_mask(mask)
    assert framed.sum() == pytest.approx(2 * 64 * round(30 * 0.64), rel=0.01)
    assert (framed[:, 0] == 0).all() and (framed[:, 32] == 1).all()


def test_a_mask_that_fits_stays_as_it_is():
    mask = torch.randint(0, 2, (2, 16, 16), generator=torch.Generator().manual_seed(0)).float()
    clip = Clip(torch.zeros(2, 3, 16, 16), (70, 80))
    assert Framing.around(clip, 16, 8, "stretch", square=True).apply_mask(mask).equal(mask)
