import pytest
import torch
from torch import nn

from giftune.unet.temporal import TemporalAttention


@pytest.fixture
def hidden(rng) -> torch.Tensor:
    return torch.randn(2 * 5, 6, 12, generator=rng)


def test_starts_as_the_identity_with_gradients_only_to_the_output(hidden):
    temporal = TemporalAttention(channels=12, num_heads=3, head_dim=4)
    output = temporal(hidden, num_frames=5)
    assert torch.equal(output, hidden)
    output.square().sum().backward()
    assert temporal.to_out.weight.grad.abs().sum() > 0
    assert temporal.to_q.weight.grad.abs().sum() == 0


@torch.no_grad()
def test_equals_multihead_attention_at_each_position(hidden):
    torch.manual_seed(0)
    temporal = TemporalAttention(channels=12, num_heads=3, head_dim=4)
    nn.init.normal_(temporal.to_out.weight)
    nn.init.normal_(temporal.to_out.bias)
    oracle = nn.MultiheadAttention(12, num_heads=3, batch_first=True)
    oracle.in_proj_weight.copy_(torch.cat([temporal.to_q.weight, temporal.to_k.weight, temporal.to_v.weight]))
    oracle.out_proj.load_state_dict(temporal.to_out.state_dict())
    expected = torch.empty_like(hidden)
    for clip in (slice(0, 5), slice(5, 10)):
        for position in range(6):
            normed = nn.functional.layer_norm(hidden[clip, position], (12,))[None]
            expected[clip, position] = hidden[clip, position] + oracle(normed, normed, normed)[0][0]
    torch.testing.assert_close(temporal(hidden, num_frames=5), expected)
