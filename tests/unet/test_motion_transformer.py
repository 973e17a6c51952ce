import pytest
import torch
from einops import rearrange
from torch import nn

from giftune.unet.frame_code import frame_code
from giftune.unet.frame_words import ClipWords
from giftune.unet.motion_transformer import MotionTransformer
from giftune.unet.place_code import place_code

FRAMES, HEIGHT, WIDTH = 3, 2, 3
PLACES = HEIGHT * WIDTH


@pytest.fixture
def hidden(rng):
    return torch.randn(2 * FRAMES, PLACES, 8, generator=rng)


@pytest.fixture
def clip(rng):
    """Of the level below the input."""
    return ClipWords(torch.randn(2, FRAMES, 5, generator=rng), 2 * HEIGHT - 1, 2 * WIDTH)


@pytest.fixture
def transformer():
    torch.manual_seed(0)
    made = MotionTransformer(8, num_heads=2, rank=5, num_layers=2)
    nn.init.normal_(made.to_out.weight)
    nn.init.normal_(made.to_out.bias)
    return made


def test_starts_as_the_identity_with_gradients_only_to_the_last_projection(hidden, clip):
    fresh = MotionTransformer(8, num_heads=2, rank=5)
    output = fresh(hidden, clip)
    assert output.equal(hidden)
    output.square().sum().backward()
    moved = {name for name, p in fresh.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0}
    assert moved == {"to_out.weight", "to_out.bias"}


def multihead(layer):
    """torch's own with the same weights."""
    oracle = nn.MultiheadAttention(8, 2, batch_first=True)
    with torch.no_grad():
        projections = (layer.to_q, layer.to_k, layer.to_v)
        oracle.in_proj_weight.copy_(torch.cat([p.weight for p in projections]))
        oracle.in_proj_bias.copy_(torch.cat([p.bias for p in projections]))
        oracle.out_proj.load_state_dict(layer.to_out.state_dict())
    return lambda tokens: oracle(tokens, tokens, tokens)[0]


@torch.no_grad()
@pytest.mark.parametrize("places_seen", ["all", "own"])
def test_it_is_a_transformer_over_the_clip(transformer, hidden, clip, places_seen, monkeypatch):
    """Against torch's attention, sequence by sequence: all tokens of a clip, or those of each place."""
    if places_seen == "own":
        monkeypatch.setattr("giftune.unet.motion_transformer.MAX_PLACES", PLACES - 1)
    where, when = place_code(HEIGHT, WIDTH), 2**0.5 * frame_code(FRAMES, 32)
    for index in range(2):
        own = hidden[index * FRAMES : (index + 1) * FRAMES]
        inner = transformer.to_in(transformer.norm(own))
        for frame in range(FRAMES):
            for place in range(PLACES):
                said = clip.words[index, frame] * transformer.place_of_words(where[place])
                inner[frame, place] += transformer.from_words(said)
                inner[frame, place] += transformer.from_frame(when[frame])
                inner[frame, place] += transformer.from_place(where[place])
        for layer in transformer.layers:
            normed, attend = layer.norm1(inner), multihead(layer)
            if places_seen == "all":
                tokens = rearrange(normed, "f n c -> 1 (f n) c")
                inner = inner + rearrange(attend(tokens)[0], "(f n) c -> f n c", f=FRAMES)
            else:
                for place in range(PLACES):
                    inner[:, place] = inner[:, place] + attend(normed[None, :, place])[0]
            inner = inner + layer.feed(layer.norm2(inner))
        found = transformer(hidden, clip)[index * FRAMES : (index + 1) * FRAMES]
        torch.testing.assert_close(found, own + transformer.to_out(inner), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_order_of_frames_and_words_matter_and_clips_do_not_mix(transformer, hidden, clip):
    found = transformer(hidden, clip)
    turned = rearrange(hidden, "(b f) n c -> b f n c", f=FRAMES).flip(1).flatten(0, 1)
    same = ClipWords(clip.words.mean(1, keepdim=True).expand_as(clip.words), clip.height, clip.width)
    back = rearrange(transformer(turned, same), "(b f) n c -> b f n c", f=FRAMES).flip(1)
    assert not torch.allclose(back.flatten(0, 1), transformer(hidden, same), atol=1e-3)
    assert not torch.allclose(transformer(hidden, clip._replace(words=clip.words + 1)), found, atol=1e-3)
    alone = transformer(hidden[FRAMES:], clip._replace(words=clip.words[1:]))
    torch.testing.assert_close(alone, found[FRAMES:], rtol=1e-4, atol=1e-5)
