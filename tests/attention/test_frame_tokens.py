import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from einops import rearrange, repeat

from giftune.attention.frame_tokens import FrameTokenAttnProcessor
from giftune.attention.patterns import per_frame
from giftune.errors import InputError

F, M, N_TEXT = 3, 2, 7


@pytest.fixture
def attn() -> Attention:
    torch.manual_seed(0)
    return Attention(query_dim=8, cross_attention_dim=12, heads=2, dim_head=4).requires_grad_(False)


@pytest.fixture
def inputs(rng):
    """Features of 2 clips, their texts, and the tokens of each frame."""
    hidden = torch.randn(2 * F, 5, 8, generator=rng)
    return hidden, torch.randn(2, N_TEXT, 12, generator=rng), torch.randn(2, F, M, 12, generator=rng)


def run(attn, inputs, join, gate=None):
    hidden, text, tokens = inputs
    attn.set_processor(FrameTokenAttnProcessor(per_frame, M, join))
    if gate is not None:
        torch.nn.init.constant_(attn.processor.gate, gate)
    context = torch.cat([text, rearrange(tokens, "b f m d -> b (f m) d")], dim=1)
    return attn(hidden, encoder_hidden_states=context, num_frames=F)


def by_diffusers(attn, hidden, context):
    attn.set_processor(AttnProcessor2_0())
    return attn(hidden, encoder_hidden_states=context)


@pytest.mark.parametrize("join", ["concat", "decoupled"])
def test_starts_as_attention_to_the_text_with_a_gradient_to_the_gate_alone(attn, inputs, join):
    hidden, text, tokens = inputs
    expected = by_diffusers(attn, hidden, repeat(text, "b n d -> (b f) n d", f=F))
    tokens = tokens.clone().requires_grad_()
    output = run(attn, (hidden, text, tokens), join)
    torch.testing.assert_close(output, expected, rtol=1e-6, atol=1e-6)
    without = run(attn, (hidden, text, tokens * 1e3), join)
    assert output.equal(without)  # to the last bit
    output.square().sum().backward()
    assert tokens.grad.abs().max() == 0
    run(attn, (hidden, text, tokens), join).square().sum().backward()
    assert attn.processor.gate.grad.abs() > 0


def test_an_open_gate_is_the_longer_context(attn, inputs):
    hidden, text, tokens = inputs
    context = torch.cat([repeat(text, "b n d -> b f n d", f=F), tokens], dim=2)
    expected = by_diffusers(attn, hidden, rearrange(context, "b f n d -> (b f) n d"))
    torch.testing.assert_close(run(attn, inputs, "concat", gate=20.0), expected)


def test_the_decoupled_branch_is_added(attn, inputs):
    hidden, text, tokens = inputs
    words = by_diffusers(attn, hidden, repeat(text, "b n d -> (b f) n d", f=F))
    own = by_diffusers(attn, hidden, rearrange(tokens, "b f m d -> (b f) m d"))
    bias = attn.to_out[0].bias  # which both have
    torch.testing.assert_close(run(attn, inputs, "decoupled", gate=0.7), words + 7.0 * (own - bias))


@pytest.mark.parametrize("join", ["concat", "decoupled"])
def test_a_frame_sees_its_own_tokens_only(attn, inputs, join):
    hidden, text, tokens = inputs
    before = run(attn, inputs, join, gate=0.5)
    tokens = tokens.clone()
    tokens[1, 2] += 1
    after = run(attn, (hidden, text, tokens), join, gate=0.5)
    changed = [not torch.allclose(a, b, atol=1e-6) for a, b in zip(before, after, strict=True)]
    assert changed == [False] * 5 + [True]


def test_the_gate_is_a_parameter_of_the_layer(attn):
    attn.set_processor(FrameTokenAttnProcessor(per_frame, M))
    assert "processor.gate" in attn.state_dict()


def test_refuses(attn, inputs):
    attn.set_processor(FrameTokenAttnProcessor(per_frame, M))
    with pytest.raises(InputError, match="num_frames"):
        attn(inputs[0], encoder_hidden_states=inputs[1])
    with pytest.raises(InputError, match="no mask"):
        attn.processor(attn, inputs[0], inputs[1], attention_mask=torch.ones(1), num_frames=F)
