import math

import pytest
import torch

from giftune.attention.patterns import per_frame
from giftune.diffusion.windows import Windows
from giftune.unet.inflate import inflate
from giftune.unet.windowed import WindowedUNet


@pytest.fixture
def clip(rng):
    """Latents of 2 clips with 9 frames, a timestep, and texts."""
    return torch.randn(2, 4, 9, 8, 8, generator=rng), 300, torch.randn(2, 7, 12, generator=rng)


@torch.no_grad()
@pytest.mark.parametrize("windows", [Windows(), Windows(9), Windows(20)])
def test_one_window_over_the_clip_is_no_window(make_unet, awaken, clip, windows):
    video = inflate(make_unet())
    awaken(video)
    assert torch.equal(WindowedUNet(video, windows)(*clip), video(*clip))


@torch.no_grad()
@pytest.mark.parametrize("windows", [Windows(4, 2), Windows(5, 0), Windows(8, 3)])
def test_a_network_that_works_on_each_frame_gives_the_same_with_any_window(make_unet, clip, windows):
    video = inflate(make_unet(), per_frame, temporal=False)
    torch.testing.assert_close(WindowedUNet(video, windows)(*clip), video(*clip), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_equals_the_mean_of_separate_passes(make_unet, awaken, clip):
    """Of windows written out: frames 0 to 4, and frame 0 before 3 to 6 and before 5 to 8."""
    video = inflate(make_unet())
    awaken(video)
    latents, t, text = clip
    parts = [[0, 1, 2, 3, 4], [0, 3, 4, 5, 6], [0, 5, 6, 7, 8]]
    first, second, third = (video(latents[:, :, frames], t, text) for frames in parts)
    found = WindowedUNet(video, Windows(5, 2))(latents, t, text)
    torch.testing.assert_close(found[:, :, :3], first[:, :, :3])
    torch.testing.assert_close(found[:, :, 7:], third[:, :, 3:])
    falling, rising = math.sin(math.pi * 4.5 / 5) ** 2, math.sin(math.pi * 1.5 / 4) ** 2
    fourth = (falling * first[:, :, 4] + rising * second[:, :, 2]) / (falling + rising)
    torch.testing.assert_close(found[:, :, 4], fourth, atol=1e-5, rtol=1e-4)


@torch.no_grad()
@pytest.mark.parametrize("middle", [True, False])
def test_residuals_reach_their_frames(make_unet, clip, rng, middle):
    video = inflate(make_unet(), per_frame, temporal=False)
    down = [torch.randn(18, 8, 8, 8, generator=rng), torch.randn(18, 16, 4, 4, generator=rng)]
    if middle:  # a ControlNet has a residual for each of the decoder's inputs
        down = [down[0], down[0], down[0][:, :, ::2, ::2], down[1]]
    mid = torch.randn(18, 16, 4, 4, generator=rng) if middle else None
    expected = video(*clip, down, mid)
    found = WindowedUNet(video, Windows(5, 2))(*clip, down, mid)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-4)
    assert not torch.allclose(found, video(*clip), atol=1e-2)


def test_what_it_sees_at_once_is_part_of_the_architecture(make_unet):
    video = inflate(make_unet())
    windowed = WindowedUNet(video, Windows(5, 2))
    assert windowed.architecture == {**video.architecture, "window": "5 2"} and windowed.unet is video.unet
