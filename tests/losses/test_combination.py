import pytest
import torch
from torch import nn

from giftune.errors import InputError
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency


class Explodes(nn.Module):
    def forward(self, step):
        raise AssertionError("a part with weight 0 is not computed")


def test_total_and_parts(make_step):
    step = make_step()
    first, second = Reconstruction(), TemporalConsistency()
    total, parts = WeightedSum({"a": (first, 2.0), "b": (second, 0.5)})(step)
    torch.testing.assert_close(total, 2 * first(step) + second(step) / 2)
    torch.testing.assert_close(parts, {"a": first(step), "b": second(step)})


def test_weight_zero_switches_a_part_off(make_step):
    total, parts = WeightedSum({"a": (Reconstruction(), 1.0), "b": (Explodes(), 0.0)})(make_step())
    assert list(parts) == ["a"] and total == parts["a"]


def test_refuses_nonsense():
    with pytest.raises(InputError, match=r"loss\.a\.weight is -1"):
        WeightedSum({"a": (Reconstruction(), -1.0)})
    with pytest.raises(InputError, match="no part of it has a positive weight"):
        WeightedSum({"a": (Reconstruction(), 0.0)})
