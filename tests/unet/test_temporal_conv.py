import pytest
import torch
from torch import nn
from torch.nn import functional

from giftune.errors import InputError
from giftune.unet.temporal_conv import TemporalConv, add_temporal_conv


@pytest.fixture
def frames(rng) -> torch.Tensor:
    return torch.randn(2 * 5, 3, 6, 4, generator=rng)


def following(conv, num_frames):
    add_temporal_conv(conv)
    conv.num_frames = num_frames
    return conv


@torch.no_grad()
@pytest.mark.parametrize("num_frames", [1, 5])
def test_starts_as_the_identity_and_keeps_the_keys(frames, num_frames):
    torch.manual_seed(0)
    conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
    expected, keys = conv(frames), set(conv.state_dict())
    assert following(conv, num_frames)(frames).equal(expected)
    assert set(conv.state_dict()) - keys == {"temporal.weight", "temporal.bias"}


@torch.no_grad()
def test_equals_a_one_dimensional_convolution_at_each_place(frames):
    torch.manual_seed(0)
    image = nn.Conv2d(3, 8, 3, padding=1)
    before = image(frames)
    conv = following(image, 5)
    nn.init.normal_(conv.temporal.weight)
    nn.init.normal_(conv.temporal.bias)
    found = conv(frames)
    for clip in range(2):
        for y, x in ((0, 0), (2, 3), (5, 1)):
            line = before[5 * clip : 5 * clip + 5, :, y, x].T[None]
            expected = functional.conv1d(line, conv.temporal.weight[..., 0], conv.temporal.bias, padding=1)
            torch.testing.assert_close(found[5 * clip : 5 * clip + 5, :, y, x].T[None], expected)


def test_refuses(frames):
    with pytest.raises(InputError, match="size is 4"):
        TemporalConv(3, size=4)
    conv = nn.Conv2d(3, 8, 3)
    add_temporal_conv(conv)
    with pytest.raises(InputError, match="VideoUNet"):
        conv(frames)
