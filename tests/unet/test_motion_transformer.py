import pytest
import torch
from einops import rearrange
from torch import nn

from giftune.unet.frame_code import frame_code
from giftune.unet.motion_transformer import MotionTransformer

FRAMES, PLACES = 3, 4


@pytest.fixture
def hidden(rng):
    return torch.randn(2 * FRAMES, PLACES, 8, generator=rng)


@pytest.fixture
def text(rng):
    return torch.randn(2, 5, 12, generator=rng)


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    made = MotionTransformer(8, num_heads=2, text_width=12, num_layers=2)
    nn.init.normal_(made.to_out.weight)
    nn.init.normal_(made.to_out.bias)
    return made


def test_starts_as_the_identity_with_gradients_only_to_the_last_projection(hidden, text):
    fresh = MotionTransformer(8, num_heads=2, text_width=12)
    output = fresh(hidden, FRAMES, text)
    assert output.equal(hidden)
    output.square().sum().backward()
    moved = {name for name, p in fresh.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved == {"to_out.weight", "to_out.bias"}


def multihead(attention, context_width):
    """torch's own with the same weights."""
    oracle = nn.MultiheadAttention(8, 2, bias=True, kdim=context_width, vdim=context_width, batch_first=True)
    with torch.no_grad():
        oracle.in_proj_bias.zero_()
        weights = [attention.to_q.weight, attention.to_k.weight, attention.to_v.weight]
        if oracle.in_proj_weight is not None:
            oracle.in_proj_weight.copy_(torch.cat(weights))
        else:
            for name, weight in zip("qkv", weights, strict=True):
                getattr(oracle, f"{name}_proj_weight").copy_(weight)
        oracle.out_proj.load_state_dict(attention.to_out.state_dict())
    return lambda query, context: oracle(query, context, context)[0]


@torch.no_grad()
@pytest.mark.parametrize("places_seen", ["all", "own"])
def test_it_is_a_transformer_over_the_clip(transformer, hidden, text, places_seen, monkeypatch):
    """Against torch's attention, sequence by sequence: all tokens of a clip, or those of each place."""
    if places_seen == "own":
        monkeypatch.setattr("giftune.unet.motion_transformer.MAX_PLACES", PLACES - 1)
    for clip in range(2):
        own = hidden[clip * FRAMES : (clip + 1) * FRAMES]
        inner = transformer.to_in(transformer.norm(own)) + frame_code(FRAMES, 8)[:, None]
        for layer in transformer.layers:
            normed, attend = layer.norm1(inner), multihead(layer.attend, 8)
            if places_seen == "all":
                tokens = rearrange(normed, "f n c -> 1 (f n) c")
                inner = inner + rearrange(attend(tokens, tokens)[0], "(f n) c -> f n c", f=FRAMES)
            else:
                for place in range(PLACES):
                    tokens = normed[None, :, place]
                    inner[:, place] = inner[:, place] + attend(tokens, tokens)[0]
            read = multihead(layer.read, 12)
            for frame in range(FRAMES):
                inner[frame] += read(layer.norm2(inner[frame])[None], text[clip : clip + 1])[0]
            inner = inner + layer.feed(layer.norm3(inner))
        found = transformer(hidden, FRAMES, text)[clip * FRAMES : (clip + 1) * FRAMES]
        torch.testing.assert_close(found, own + transformer.to_out(inner), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_order_of_frames_and_words_matter_and_clips_do_not_mix(transformer, hidden, text):
    found = transformer(hidden, FRAMES, text)
    turned = rearrange(hidden, "(b f) n c -> b f n c", f=FRAMES).flip(1).flatten(0, 1)
    back = rearrange(transformer(turned, FRAMES, text), "(b f) n c -> b f n c", f=FRAMES).flip(1)
    assert not torch.allclose(back.flatten(0, 1), found, atol=1e-3)
    assert not torch.allclose(transformer(hidden, FRAMES, text + 1), found, atol=1e-3)
    alone = transformer(hidden[FRAMES:], FRAMES, text[1:])
    torch.testing.assert_close(alone, found[FRAMES:], rtol=1e-4, atol=1e-5)
