import pytest
import torch

from giftune.errors import InputError
from giftune.unet.frame_tokens import FrameTokens


@pytest.fixture
def text(rng) -> torch.Tensor:
    return torch.randn(2, 7, 16, generator=rng)


@pytest.fixture
def tokens() -> FrameTokens:
    torch.manual_seed(0)
    return FrameTokens(16, num_tokens=3)


@torch.no_grad()
def test_every_frame_gets_tokens_of_its_own_from_the_prompt(tokens, text):
    made = tokens(text, num_frames=5)
    assert made.shape == (2, 5, 3, 16)
    assert (made[:, 1:] - made[:, :-1]).abs().amax((0, 2, 3)).min() > 1e-2  # frames differ
    other = tokens(text.flip(1) + torch.eye(7, 16), num_frames=5)
    assert (other - made).abs().max() > 1e-2
    torch.testing.assert_close(tokens(text[1:], num_frames=5), made[1:])
    torch.testing.assert_close(made.mean(-1), torch.zeros(2, 5, 3), atol=1e-5, rtol=0)  # layer norm
    assert not made[:, :, 0].allclose(made[:, :, 1], atol=1e-2)


@torch.no_grad()
def test_the_prompt_is_a_set_for_it_and_the_frames_are_not(tokens, text):
    """Cross-attention without positions; CLIP's states know theirs."""
    made = tokens(text, num_frames=4)
    torch.testing.assert_close(tokens(text.flip(1), num_frames=4), made, rtol=1e-4, atol=1e-5)
    assert not tokens(text, num_frames=6)[:, :4].allclose(made, atol=1e-4)  # queries see each other


def test_gradients_reach_every_parameter(tokens, text):
    (tokens(text, 4) * torch.linspace(-1, 1, 16) ** 3).square().sum().backward()
    assert all(parameter.grad.abs().max() > 0 for parameter in tokens.parameters())


def test_layers_begin_differently(tokens):
    first, second = (layer.linear1.weight for layer in tokens.layers.layers)
    assert not first.equal(second)


def test_refuses():
    for settings, sentence in (
        ({"width": 12}, "width is 12"),
        ({"width": 16, "num_tokens": 0}, "num_tokens is 0"),
        ({"width": 16, "num_layers": 0}, "num_layers 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            FrameTokens(**settings)
