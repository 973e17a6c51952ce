import torch
from torch import nn

from giftune.training.learnt_state import learnt_state


class Queue(nn.Module):
    """A head that learns, with a memory of its own."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.register_buffer("memory", torch.zeros(4))
        self.register_buffer("table", torch.zeros(4), persistent=False)


def network():
    frozen = nn.BatchNorm2d(3).requires_grad_(False)
    return nn.ModuleDict({"frozen": frozen, "norm": nn.BatchNorm2d(3), "queue": Queue()})


def test_buffers_go_with_what_learns():
    whole = network()
    names = [name for name, parameter in whole.named_parameters() if parameter.requires_grad]
    state = learnt_state(whole, names)
    assert state.keys() == {name for name in whole.state_dict() if not name.startswith("frozen")}
    assert all(value.equal(whole.state_dict()[name]) for name, value in state.items())
    assert list(learnt_state(whole, ["queue.layer.weight"])) == ["queue.layer.weight"]  # its bias is frozen


def test_it_is_enough_to_continue():
    one, two = network(), network()
    names = [name for name in dict(one.named_parameters()) if not name.startswith("frozen")]
    one["norm"](torch.randn(4, 3, 5, 5, generator=torch.Generator().manual_seed(0)))
    two.load_state_dict(learnt_state(one, names), strict=False)
    assert two["norm"].running_mean.equal(one["norm"].running_mean)
    assert two["norm"].running_mean.abs().sum() > 0
