import pytest
import torch

from giftune.errors import InputError
from giftune.unet.motion_injection import MotionInjection


@pytest.mark.parametrize(
    ("tokens", "width", "side"), [(77, 768, 16), (77, 1024, 16), (24, 128, 8), (77, 16, 2)]
)
def test_widths_of_known_text_encoders_become_a_square(tokens, width, side, rng):
    module = MotionInjection(tokens, width)
    text = torch.randn(2, tokens, width, generator=rng)
    assert module.side == side and module(text, side, side).shape == (2, 16, side, side)
    assert module(text, 6, 10).shape == (2, 16, 6, 10)


def test_the_published_sizes_have_the_published_shapes():
    shapes = {name: tuple(p.shape) for name, p in MotionInjection(77, 768).named_parameters()}
    assert shapes["linear.weight"] == (16, 77, 3) and shapes["norm.weight"] == (256, 16)


def test_a_width_without_a_square_is_refused():
    with pytest.raises(InputError, match="the text is 5 wide"):
        MotionInjection(77, 5)
