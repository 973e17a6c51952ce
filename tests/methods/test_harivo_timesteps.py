"""HARIVO learns more at high noise when it is told to."""

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.errors import InputError
from giftune.methods.base import Example
from giftune.methods.harivo import Harivo


@pytest.fixture
def make(folders):
    return lambda power: Harivo(
        load_backbone(folders["sd1"], device="cpu"), image_prior_weight=0.0, timestep_power=power
    )


def test_the_mean_timestep_is_that_of_the_power(make, clip, monkeypatch):
    method, seen = make(8.0), []
    batch = method.collate([Example(clip, "a cat runs", "one")] * 2, torch.Generator().manual_seed(0))
    predict = method.workspace.predict
    monkeypatch.setattr(method.workspace, "predict", lambda n, x, t, c: seen.append(t) or predict(n, x, t, c))
    for seed in range(4):
        method.losses(batch, torch.Generator().manual_seed(seed))
    assert torch.cat(seen).float().mean() > 700  # 500 if all were as likely; 889 is the mean of 8 u^8


def test_refuses(make):
    with pytest.raises(InputError, match=r"timestep_power is -1\.0"):
        make(-1.0)
