import pytest
import torch
from torch.nn import functional

from giftune.errors import InputError
from giftune.unet.mapping import MappingNetwork


@pytest.fixture
def noise(rng) -> torch.Tensor:
    return torch.randn(2, 4, 5, 8, 6, generator=rng)


def awake(**settings) -> MappingNetwork:
    torch.manual_seed(0)
    mapping = MappingNetwork(width=8, **settings)
    torch.nn.init.normal_(mapping.conv_out.weight, std=0.1)
    return mapping


@pytest.mark.parametrize("num_frames", [1, 2, 5])
def test_starts_as_the_identity_and_can_leave_it(noise, num_frames):
    mapping = MappingNetwork()
    part = noise[:, :, :num_frames]
    output = mapping(part)
    assert output.equal(part)
    (output * part).sum().backward()
    assert mapping.conv_out.weight.grad.abs().max() > 0
    assert mapping.conv_in.weight.grad.abs().max() == 0  # until the last layer has moved


@torch.no_grad()
def test_equals_its_formula(noise):
    mapping = awake(num_blocks=1)

    def normed(norm, x):  # each frame by itself
        frames = [functional.group_norm(frame, 8, norm.weight, norm.bias) for frame in x.unbind(2)]
        return functional.silu(torch.stack(frames, dim=2))

    def conv(layer, x):
        return functional.conv3d(x, layer.weight, layer.bias, padding=1)

    (block,) = mapping.blocks
    hidden = conv(mapping.conv_in, noise)
    inner = conv(block.conv1, normed(block.norm1, hidden))
    hidden = hidden + conv(block.conv2, normed(block.norm2, inner))
    expected = noise + conv(mapping.conv_out, normed(mapping.norm_out, hidden)) / 10
    torch.testing.assert_close(mapping(noise), expected)


@torch.no_grad()
def test_frames_see_each_other_and_clips_do_not(noise):
    mapping, changed = awake(num_blocks=0), noise.clone()
    changed[0, :, 2] += 1
    difference = (mapping(changed) - mapping(noise)).abs().amax((1, 3, 4))
    # two convolutions of three frames reach two frames far
    assert (difference[0] > 0).all() and (difference[1] == 0).all()
    assert (awake(num_blocks=0)(noise[:, :, :1]) - noise[:, :, :1]).abs().max() > 0


def test_refuses():
    for settings, sentence in (
        ({"width": 12}, "width is 12"),
        ({"num_blocks": -1}, "num_blocks -1"),
    ):
        with pytest.raises(InputError, match=sentence):
            MappingNetwork(**settings)
