"""The weights of Pix2Gif that come with giftune do what they are for."""

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.emojiworld.oracle import load_oracle
from giftune.emojiworld.world import make_clip
from giftune.methods.pix2gif import Pix2Gif
from giftune.metrics.motion_control import pearson

ASKED = (2, 5, 8, 11, 14)


@pytest.mark.slow
def test_the_subject_moves_farther_where_more_motion_is_asked_for():
    method = Pix2Gif(
        load_backbone("emojiworld", device="cpu"), weights="emojiworld", sentence=" {number}",
        embedding_gain=20.0, motion=ASKED[-1], num_steps=8, guidance=3.0,
    )  # fmt: skip
    oracle, ways = load_oracle(), []
    for number, subject in enumerate(("car", "bear", "dog")):
        picture = make_clip(subject, "grass", "plain", "run", 8, seed=100 + number).clip.frames[:1]
        still = Clip(picture.repeat(len(ASKED), 1, 1, 1), (100,) * len(ASKED))
        (drawn,) = method.edit(
            still, [f"a {subject} is running on the grass"], torch.Generator().manual_seed(number)
        )
        places = oracle.judge(torch.cat([picture, drawn.frames])).centres
        ways.append((places[1:] - places[:1]).norm(dim=-1))
    mean = torch.stack(ways).mean(dim=0)
    assert pearson(torch.tensor(ASKED, dtype=torch.float32), mean) > 0.8
