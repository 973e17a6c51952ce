from functools import partial

import pytest
import torch

from giftune.attention.patterns import sparse_causal
from giftune.cli._build import build
from giftune.errors import InputError
from giftune.losses.reconstruction import Reconstruction
from giftune.training.tuner import Tuner

TUNER = {"_target_": "giftune.training.tuner.Tuner", "max_steps": 3}


def test_plain_values_stay():
    assert build({"a": [1, {"b": None}]}, "x") == {"a": [1, {"b": None}]}


def test_objects_are_built_from_the_inside_out():
    inner = {"_target_": "giftune.losses.reconstruction.Reconstruction", "min_snr_gamma": 5}
    built = build({"parts": [inner]}, "loss")["parts"][0]
    assert isinstance(built, Reconstruction) and built.min_snr_gamma == 5.0
    assert isinstance(built.min_snr_gamma, float)


def test_a_partial_without_arguments_is_the_function():
    bare = {"_target_": "giftune.attention.patterns.sparse_causal", "_partial_": True}
    assert build(bare, "pattern") is sparse_causal
    half = build(
        {"_target_": "torch.optim.AdamW", "_partial_": True, "lr": 1, "betas": [0.5, 0.9]}, "optimizer"
    )
    assert isinstance(half, partial) and half.keywords == {"lr": 1.0, "betas": [0.5, 0.9]}
    assert isinstance(half([torch.nn.Parameter(torch.zeros(1))]), torch.optim.AdamW)


def test_built_objects_are_passed_as_they_are():
    sentinel = torch.nn.Linear(2, 2)
    target = {"_target_": "giftune.unet.trainable.count"}
    assert build(target, "count", module=sentinel) == 6


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "torch.load",
        "builtins.eval",
        "giftune.cli._run.os.system",
        "giftune.training.tuner.pl.utilities.rank_zero.torch.load",
        "torch.optim.adamw.torch.load",
        ["giftune"],
    ],
)
def test_foreign_code_is_never_reached(target):
    with pytest.raises(InputError, match=r"must lie in giftune, torch\.optim|does not exist"):
        build({"deep": [{"_target_": target}]}, "x")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"max_steps": "abc"}, "trainer.max_steps is 'abc', it must be a whole number"),
        ({"max_steps": 1.5}, "trainer.max_steps is 1.5, it must be a whole number"),
        ({"max_steps": True}, "trainer.max_steps is True, it must be a whole number"),
        ({"gradient_clip": "x"}, "trainer.gradient_clip is 'x', it must be a number or null"),
        ({"steps": 3}, "trainer.steps is not known; known are: max_steps, gradient_clip"),
        ({"_target_": "giftune.training.tuner.Turner"}, "trainer._target_ .* does not exist"),
    ],
)
def test_refuses(change, sentence):
    with pytest.raises(InputError, match=sentence):
        build({**TUNER, **change}, "trainer")


def test_null_is_allowed_where_the_signature_says_so():
    assert isinstance(build({**TUNER, "gradient_clip": None}, "trainer"), Tuner)
