import pytest
import torch
from diffusers.models.attention_processor import Attention

from giftune.losses.attention_consistency import attention_consistency, attention_maps


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_maps_are_those_of_diffusers(rng):
    torch.manual_seed(0)
    attn = Attention(query_dim=8, heads=2, dim_head=4)
    hidden = torch.randn(3, 5, 8, generator=rng)
    query, key = attn.to_q(hidden), attn.to_k(hidden)
    found = attention_maps(query, key, attn.heads, attn.scale)
    expected = attn.get_attention_scores(attn.head_to_batch_dim(query), attn.head_to_batch_dim(key))
    torch.testing.assert_close(found.flatten(0, 1), expected)


def maps(rng, n, b=2, f=4, heads=3):
    return torch.randn(b, f, heads, n, n, generator=rng).softmax(-1)


def test_equals_its_formula_pair_by_pair(rng):
    layers, weights = [maps(rng, 6), maps(rng, 3)], [0.5, 2.0]
    expected = 0.0
    for layer, weight in zip(layers, weights, strict=True):
        for f in range(3):
            expected += weight / 3 * (layer[:, f] - layer[:, f + 1]).square().mean()
    torch.testing.assert_close(attention_consistency(layers, weights), expected)
    torch.testing.assert_close(attention_consistency(layers), attention_consistency(layers, [0.5, 0.5]))


def test_identical_frames_cost_nothing_and_their_order_matters(rng):
    layer = maps(rng, 5)
    assert attention_consistency([layer[:, :1].expand(-1, 4, -1, -1, -1)]) == 0
    smooth = torch.stack([layer[:, 0].lerp(layer[:, 1], i / 3) for i in range(4)], dim=1)
    assert attention_consistency([smooth[:, [0, 2, 1, 3]]]) > attention_consistency([smooth]) > 0
