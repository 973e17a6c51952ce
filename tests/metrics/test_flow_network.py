"""Against RAFT called directly, and with a network whose answer is known."""

import pytest
import torch
from torch import nn
from torchvision.models.optical_flow import raft_small

from giftune.metrics.flow_network import FlowNetwork


class Known(nn.Module):
    """One pixel to the right and two up, at whatever size it is asked."""

    def forward(self, first, second):
        assert first.shape[2] % 8 == first.shape[3] % 8 == 0 and min(first.shape[2:]) >= 128
        flow = torch.tensor([1.0, -2.0]).reshape(1, 2, 1, 1).expand(1, 2, *first.shape[2:])
        return [torch.zeros_like(flow), flow]


def test_flow_is_scaled_back_to_the_frames():
    flow = FlowNetwork(Known(), "known", torch.device("cpu")).forward(torch.zeros(3, 3, 64, 100))
    assert flow.shape == (2, 2, 64, 100)
    torch.testing.assert_close(flow[:, 0], torch.full((2, 64, 100), 100 / 128))
    torch.testing.assert_close(flow[:, 1], torch.full((2, 64, 100), -2 * 64 / 128))


@torch.no_grad()
@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_neighbours_go_through_raft_in_order(noise, direction):
    model = raft_small().eval()
    frames = noise(3, 128, 128)
    order = [(0, 1), (1, 2)] if direction == "forward" else [(1, 0), (2, 1)]
    expected = torch.cat([model(frames[a : a + 1], frames[b : b + 1])[-1] for a, b in order])
    network = FlowNetwork(model, "raft", torch.device("cpu"))
    torch.testing.assert_close(getattr(network, direction)(frames), expected, atol=1e-4, rtol=1e-4)
