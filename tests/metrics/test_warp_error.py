import pytest
import torch
from torch import nn

from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.metrics.flow_network import FlowNetwork
from giftune.metrics.warp_error import TrueWarpError, WarpError, warp_error
from giftune.metrics.warping import reverse, visible, warp


class RightwardPan(nn.Module):
    """Knows that its clip moves two pixels a frame to the right, by comparing the frames."""

    def forward(self, first, second):
        forward = torch.allclose(first[..., :-2], second[..., 2:])
        flow = torch.zeros(1, 2, *first.shape[2:])
        flow[:, 0] = 2 if forward else -2
        return [flow]


@pytest.fixture
def panning(generator):
    wide = torch.rand(3, 128, 140, generator=generator) * 2 - 1
    return torch.stack([wide[..., 8 - 2 * i : 136 - 2 * i] for i in range(4)])


def pan(frames, dx):
    flow = torch.zeros(len(frames) - 1, 2, *frames.shape[2:])
    flow[:, 0] = dx
    return flow


def test_a_pan_followed_exactly_costs_nothing(panning):
    network = FlowNetwork(RightwardPan(), "pan", torch.device("cpu"))
    metric = WarpError(network)
    assert float(metric(source=panning, edited=panning)) < 1e-6
    assert metric.backbone == "pan on the source"
    assert float(TrueWarpError()(edited=panning, flow=pan(panning, 2))) < 1e-6
    assert TrueWarpError()(edited=panning, flow=pan(panning, -2)) > 10
    assert TrueWarpError()(edited=panning, flow=pan(panning, 0)) > 10


def test_the_flow_is_that_of_the_source(panning):
    network = FlowNetwork(RightwardPan(), "pan", torch.device("cpu"))
    frozen = panning[:1].repeat(4, 1, 1, 1)
    expected = 1000 * ((frozen[0, :, :, 2:] - frozen[0, :, :, :-2]) / 2).square().mean()
    assert float(WarpError(network)(source=panning, edited=frozen)) == pytest.approx(
        float(expected), rel=1e-4
    )


def test_pixel_by_pixel(generator):
    frames = torch.rand(3, 3, 8, 9, generator=generator) * 2 - 1
    flow = 0.5 * torch.nn.functional.interpolate(
        torch.randn(2, 2, 2, 2, generator=generator), (8, 9), mode="bilinear"
    )
    back = -flow.flip(0)
    mask, moved, expected = visible(flow, back), warp(frames[1:], flow), 0.0
    assert 0 < mask.float().mean() < 1
    for i in range(2):
        total, count = 0.0, 0
        for y in range(8):
            for x in range(9):
                if mask[i, y, x]:
                    total += float(((frames[i, :, y, x] - moved[i, :, y, x]) / 2).square().mean())
                    count += 1
        expected += total / count / 2
    assert float(warp_error(frames, flow, back)) == pytest.approx(expected, rel=1e-4)


def test_without_visible_pixels_all_count(panning):
    flow = pan(panning, 2)
    error = (panning[:-1] - warp(panning[1:], flow)) / 2
    torch.testing.assert_close(warp_error(panning, flow, flow), error.square().mean())


def test_a_rendered_clip_moves_as_its_truth_says():
    world = make_clip(motion="run", num_frames=8)
    true = float(TrueWarpError()(edited=world.clip.frames, flow=world.flow))
    frozen = world.clip.frames[:1].repeat(8, 1, 1, 1)
    wrong = float(TrueWarpError()(edited=frozen, flow=world.flow))
    backwards = float(TrueWarpError()(edited=world.clip.frames, flow=-world.flow))
    assert true < 0.2 * min(wrong, backwards)
    unmasked = 1000 * ((world.clip.frames[:-1] - warp(world.clip.frames[1:], world.flow)) / 2).square().mean()
    assert true < 0.5 * unmasked, "what the subject covers and uncovers is left out"
    assert reverse(world.flow).abs().sum() > 0


def test_flow_must_belong_to_the_clip(panning):
    with pytest.raises(InputError, match=r"flow has shape .* must be \(3, 2, 128, 128\)"):
        TrueWarpError()(edited=panning, flow=torch.zeros(4, 2, 128, 128))
    with pytest.raises(InputError, match="edited has 1 frame"):
        TrueWarpError()(edited=panning[:1], flow=torch.zeros(0, 2, 128, 128))
