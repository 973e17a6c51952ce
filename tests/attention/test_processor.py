import pytest
import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from einops import rearrange

from giftune.attention.patterns import first_frame, full, per_frame, previous_frame, sparse_causal, window
from giftune.attention.processor import CrossFrameAttnProcessor, _runs
from giftune.errors import InputError

PATTERNS = [per_frame, first_frame, previous_frame, sparse_causal, window(3), full]


@pytest.fixture
def attn() -> Attention:
    torch.manual_seed(0)
    return Attention(query_dim=12, heads=3, dim_head=4)


@pytest.fixture
def hidden(rng) -> torch.Tensor:
    return torch.randn(2 * 5, 6, 12, generator=rng)


def naive(attn, hidden, pattern, num_frames):
    """Softmax attention written out, one clip, frame and head at a time, from the full table."""
    clips = rearrange(hidden, "(b f) n c -> b f n c", f=num_frames)
    table, outputs = pattern(num_frames).tolist(), []
    for clip in clips:
        for frame, row in zip(clip, table, strict=True):
            context = torch.cat([clip[i] for i in row])
            query, key, value = attn.to_q(frame), attn.to_k(context), attn.to_v(context)
            heads = []
            for q, k, v in zip(query.split(4, -1), key.split(4, -1), value.split(4, -1), strict=True):
                heads.append(torch.softmax(q @ k.T / 2, dim=-1) @ v)
            outputs.append(attn.to_out[0](torch.cat(heads, dim=-1)))
    return torch.stack(outputs)


@pytest.mark.parametrize("num_frames", [1, 2, 5])
@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_equals_a_loop_over_frames_and_heads(attn, hidden, pattern, num_frames):
    attn.set_processor(CrossFrameAttnProcessor(pattern))
    torch.testing.assert_close(attn(hidden, num_frames=num_frames), naive(attn, hidden, pattern, num_frames))


def test_repeated_frames_that_weigh_differently_are_kept(attn, hidden):
    def lopsided(num_frames):
        return torch.tensor([[0, 0, i] for i in range(num_frames)])

    attn.set_processor(CrossFrameAttnProcessor(lopsided))
    torch.testing.assert_close(attn(hidden, num_frames=5), naive(attn, hidden, lopsided, 5))


def test_no_frame_is_attended_to_twice():
    assert _runs(sparse_causal, 2) == [(2, [[0]])]
    assert _runs(sparse_causal, 5) == [(2, [[0]]), (3, [[0, 1], [0, 2], [0, 3]])]
    assert _runs(full, 3) == [(3, [[0, 1, 2]])]


@pytest.mark.parametrize(("pattern", "projected"), [(first_frame, 1), (sparse_causal, 4), (per_frame, 5)])
def test_what_no_frame_sees_is_not_projected(attn, hidden, pattern, projected):
    attn.set_processor(CrossFrameAttnProcessor(pattern))
    sizes = []
    for layer in (attn.to_q, attn.to_k, attn.to_v):
        layer.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    attn(hidden, num_frames=5)
    assert sizes == [2 * 5, 2 * projected, 2 * projected]


@pytest.mark.parametrize("once_per_clip", [True, False])
def test_text_makes_it_ordinary_cross_attention(rng, hidden, once_per_clip):
    torch.manual_seed(0)
    attn = Attention(query_dim=12, cross_attention_dim=8, heads=3, dim_head=4, processor=AttnProcessor2_0())
    text = torch.randn(2, 7, 8, generator=rng)
    per_frame_text = text.repeat_interleave(5, dim=0)
    expected = attn(hidden, per_frame_text)
    attn.set_processor(CrossFrameAttnProcessor(sparse_causal))
    output = attn(hidden, text if once_per_clip else per_frame_text, num_frames=5)
    torch.testing.assert_close(output, expected)


def test_missing_frame_count_and_masks_are_refused(attn, hidden):
    attn.set_processor(CrossFrameAttnProcessor(sparse_causal))
    with pytest.raises(InputError, match="VideoUNet"):
        attn(hidden)
    with pytest.raises(InputError, match="attention_mask"):
        attn(hidden, attention_mask=torch.zeros(10, 1, 6), num_frames=5)
