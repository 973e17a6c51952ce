import shutil

import jaxtyping
import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import nn

from giftune.attention.patterns import sparse_causal
from giftune.attention.processor import CrossFrameAttnProcessor
from giftune.errors import InputError
from giftune.unet.block import SpatioTemporalBlock
from giftune.unet.compiled import compile_in_place
from giftune.unet.temporal import TemporalAttention


@pytest.mark.parametrize(("mode", "asked"), [(True, "default"), ("max-autotune", "max-autotune")])
def test_is_torchs_own_and_leaves_the_names(monkeypatch, mode, asked):
    network, calls = nn.Sequential(nn.Linear(2, 2)), []
    names = [name for name, _ in network.named_parameters()]
    monkeypatch.setattr(nn.Module, "compile", lambda self, **settings: calls.append((self, settings)))
    compile_in_place(network, mode)
    assert calls == [(network, {"mode": asked})]
    assert [name for name, _ in network.named_parameters()] == names


@pytest.mark.parametrize("mode", ["fast", "", False])
def test_refuses_unknown_modes(mode):
    with pytest.raises(InputError, match="compile is"):
        compile_in_place(nn.Linear(1, 1), mode)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch compiles with a C++ compiler")
@torch.no_grad()
def test_results_stay(rng, monkeypatch):
    """Of one block with all three attentions: the whole network takes minutes to compile."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the checks of types break graphs
    torch.manual_seed(0)
    block = BasicTransformerBlock(8, 2, 4, cross_attention_dim=12).eval()
    for attention in (block.attn1, block.attn2):
        attention.set_processor(CrossFrameAttnProcessor(sparse_causal))
    block.temporal, block.motion = TemporalAttention(8, 2, 4), None
    block.__class__ = SpatioTemporalBlock
    block.temporal.to_out.weight.normal_(generator=rng)
    hidden, text = torch.randn(10, 16, 8, generator=rng), torch.randn(2, 7, 12, generator=rng)
    inputs = {"encoder_hidden_states": text, "cross_attention_kwargs": {"num_frames": 5}}
    expected = block(hidden, **inputs)
    compile_in_place(block)
    torch.testing.assert_close(block(hidden, **inputs), expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(expected, hidden, atol=0.1)
