import pytest
import torch

from giftune.diffusion.condition_dropout import drop_conditions
from giftune.errors import InputError


def test_a_twentieth_each_loses_its_text_its_image_and_both(rng):
    text, image = drop_conditions(40_000, rng)
    for lost in (text & ~image, image & ~text, text & image):
        assert abs(float(lost.float().mean()) - 0.05) < 0.005  # 4.6 standard deviations
    assert abs(float((text | image).float().mean()) - 0.15) < 0.008


def test_both_follow_from_one_draw(rng):
    draw = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    text, image = drop_conditions(1000, torch.Generator().manual_seed(0), 0.2)
    assert torch.equal(text, draw < 0.4) and torch.equal(image, (draw >= 0.2) & (draw < 0.6))
    assert not any(lost.any() for lost in drop_conditions(1000, rng, 0.0))


@pytest.mark.parametrize("share", [-0.1, 0.4])
def test_shares_must_fit(share, rng):
    with pytest.raises(InputError, match="dropout is"):
        drop_conditions(3, rng, share)
