import pytest
import torch
from torch import nn

from giftune.attention.recording import recorded


def test_the_last_outputs_are_kept_with_their_gradients(rng):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    x = torch.randn(5, 3, generator=rng)
    with recorded({"first": network[0], "last": network[2]}) as outputs:
        network(x + 1)
        expected = network(x)
    assert outputs.keys() == {"first", "last"} and outputs["last"] is expected
    torch.testing.assert_close(outputs["first"], nn.functional.linear(x, network[0].weight, network[0].bias))
    outputs["first"].sum().backward()
    torch.testing.assert_close(network[0].weight.grad, x.sum(0).expand(4, 3))


def test_hooks_are_gone_afterwards_even_when_it_fails():
    layer = nn.Linear(2, 2)
    with pytest.raises(RuntimeError), recorded({"layer": layer}):
        layer(torch.zeros(1, 3))
    assert not layer._forward_hooks
