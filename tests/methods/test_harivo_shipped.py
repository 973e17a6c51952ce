"""The weights of HARIVO-inspired that come with giftune do what they are for."""

import pytest
import torch

from giftune.cli._method import build_method
from giftune.clip import Clip
from giftune.emojiworld.captions import caption
from giftune.emojiworld.motion_oracle import shown_motion
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.oracle import load_oracle
from tests.test_configs import compose


@pytest.mark.slow
def test_gifs_of_a_text_move_as_the_verb_says():
    """One of five motions, or stillness, would be right by chance in one case of six."""
    config = compose("method=harivo", "method.weights=emojiworld", "edit.num_steps=12")
    method, oracle = build_method(config), load_oracle()
    empty = Clip(torch.zeros(8, 3, 64, 64), (100,) * 8)
    prompts = [caption("panda", "beach", "plain", motion) for motion in MOTIONS]
    drawn = method.edit(empty, prompts, torch.Generator().manual_seed(1))
    shown = [shown_motion(clip.frames, oracle) for clip in drawn]
    assert sum(found == asked for found, asked in zip(shown, MOTIONS, strict=True)) >= 4, shown
