import pytest
import torch
from torch import nn

from giftune.unet.held_weights import held_weights


def test_inside_it_computes_with_others_and_outside_it_learns_as_ever():
    network, other = nn.Linear(3, 2), nn.Linear(3, 2)
    batch, pointer = torch.ones(4, 3), network.weight.data_ptr()
    before, optimizer = network(batch), torch.optim.SGD(network.parameters(), lr=0.1)
    with torch.no_grad(), held_weights(network, dict(other.named_parameters())):
        assert network(batch).equal(other(batch))
    assert network(batch).equal(before) and network.weight.data_ptr() == pointer
    kept = [parameter.clone() for parameter in other.parameters()]
    network(batch).sum().backward()
    optimizer.step()
    assert not network(batch).equal(before)
    assert all(a.equal(b) for a, b in zip(other.parameters(), kept, strict=True))


def test_the_own_weights_return_after_an_error():
    network = nn.Linear(3, 2)
    before = network.bias.clone()
    with pytest.raises(ZeroDivisionError), held_weights(network, {"bias": torch.zeros(2)}):
        assert network.bias.abs().sum() == 0
        _ = 1 / 0
    assert network.bias.equal(before)
