import pytest
import torch

from giftune.emojiworld.oracle import load_oracle
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.metrics.attribute_accuracy import ATTRIBUTES, AttributeAccuracy

ASKED = {"subject": "fox", "background": "beach", "style": "plain"}


@pytest.fixture(scope="module")
def frames():
    fox, robot = (make_clip(s, "beach", num_frames=4, seed=3).clip.frames for s in ("fox", "robot"))
    return torch.cat([fox[:3], robot[:1]])


@pytest.mark.parametrize(("attribute", "share"), [("subject", 0.75), ("background", 1), ("style", 1)])
def test_what_was_rendered_is_found(frames, attribute, share):
    metric = AttributeAccuracy(load_oracle(), attribute)
    assert metric(edited=frames, asked=ASKED) == share
    wrong = {"subject": "pig", "background": "city", "style": "neon"}
    assert metric(edited=frames, asked=wrong) == 0


def test_what_is_asked_must_be_named(frames):
    with pytest.raises(InputError, match="asked names subject, it must name subject, background, style"):
        AttributeAccuracy(load_oracle(), "style")(edited=frames, asked={"subject": "fox"})
    with pytest.raises(InputError, match="attribute is 'colour'"):
        AttributeAccuracy(load_oracle(), "colour")
    assert set(ASKED) == set(ATTRIBUTES)
