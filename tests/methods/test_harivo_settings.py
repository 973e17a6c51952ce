"""What the settings of HARIVO may be, and that it learns more at high noise when it is told to."""

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.errors import InputError
from giftune.methods.base import Example
from giftune.methods.harivo import Harivo


@pytest.fixture
def make(folders):
    return lambda backbone=None, **settings: Harivo(
        backbone or load_backbone(folders["sd1"], device="cpu"), **settings
    )


def generator():
    return torch.Generator().manual_seed(1)


def test_the_mean_timestep_is_that_of_the_power(make, clip, monkeypatch):
    method, seen = make(timestep_power=8.0, image_prior_weight=0.0), []
    batch = method.collate([Example(clip, "a cat runs", "one")] * 2, torch.Generator().manual_seed(0))
    predict = method.workspace.predict
    monkeypatch.setattr(method.workspace, "predict", lambda n, x, t, c: seen.append(t) or predict(n, x, t, c))
    for seed in range(4):
        method.losses(batch, torch.Generator().manual_seed(seed))
    assert torch.cat(seen).float().mean() > 700  # 500 if all were as likely; 889 is the mean of 8 u^8


def test_refuses(make, clip, folders):
    backbone = load_backbone(folders["sd1"], device="cpu")  # which nothing has changed by then
    for settings, sentence in (
        ({"attention_weight": -1.0}, "attention_weight is -1"),
        ({"deviation_weight": -2.0}, "deviation_weight is -2"),
        ({"timestep_power": -1.0}, "timestep_power is -1"),
        ({"caption_dropout": 1.5}, "caption_dropout is 1.5"),
        ({"mapping": "pyoco_mixed", "a": -1.0}, "a is -1"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"num_tokens": 0}, "num_tokens is 0"),
        ({"min_snr_gamma": 0.0}, "min_snr_gamma is 0"),
    ):
        with pytest.raises(InputError, match=sentence):
            make(backbone=backbone, **settings)
    method = make(backbone=backbone)
    with pytest.raises(InputError, match="clip two has no caption"):
        method.collate([Example(clip, "a cat runs", "one"), Example(clip, " ", "two")], generator())
    with pytest.raises(InputError, match="2 sizes or lengths"):
        method.collate([Example(clip, "a cat runs"), Example(clip[:2], "a cat")], generator())
