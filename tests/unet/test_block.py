import pytest
import torch
from diffusers.models.attention import BasicTransformerBlock

from giftune.attention.patterns import sparse_causal
from giftune.attention.processor import CrossFrameAttnProcessor
from giftune.errors import InputError
from giftune.unet.block import SpatioTemporalBlock
from giftune.unet.frame_words import ClipWords
from giftune.unet.motion_transformer import MotionTransformer
from giftune.unet.temporal import TemporalAttention


@pytest.fixture
def block(awaken) -> BasicTransformerBlock:
    torch.manual_seed(0)
    block = BasicTransformerBlock(8, num_attention_heads=2, attention_head_dim=4, cross_attention_dim=12)
    for attn in (block.attn1, block.attn2):
        attn.set_processor(CrossFrameAttnProcessor(sparse_causal))
    block.temporal = TemporalAttention(8, num_heads=2, head_dim=4)
    block.motion = None
    awaken(block)
    return block


@torch.no_grad()
def test_time_comes_after_everything_the_image_block_does(block, rng):
    hidden, text = torch.randn(5, 6, 8, generator=rng), torch.randn(5, 7, 12, generator=rng)
    kwargs = {"encoder_hidden_states": text, "cross_attention_kwargs": {"num_frames": 5}}
    expected = block.temporal(block(hidden, **kwargs), 5)
    block.__class__ = SpatioTemporalBlock
    torch.testing.assert_close(block(hidden, **kwargs), expected)
    # Checkpointing passes the arguments by position.
    by_position = block(hidden, None, text, None, None, {"num_frames": 5}, None)
    torch.testing.assert_close(by_position, expected)


@torch.no_grad()
@pytest.mark.parametrize("temporal", [True, False])
def test_a_motion_transformer_comes_last_and_reads_the_words(block, temporal, rng):
    hidden, text = torch.randn(5, 6, 8, generator=rng), torch.randn(1, 7, 12, generator=rng)
    block.motion = MotionTransformer(8, num_heads=2, rank=4)
    clip = ClipWords(torch.randn(1, 5, 4, generator=rng), 4, 5)
    torch.nn.init.normal_(block.motion.to_out.weight)
    if not temporal:
        block.temporal = None
    kwargs = {"encoder_hidden_states": text, "cross_attention_kwargs": {"num_frames": 5}}
    expected = block(hidden, **kwargs)  # as the image model's block
    expected = block.temporal(expected, 5) if temporal else expected
    expected = block.motion(expected, clip)
    block.__class__ = SpatioTemporalBlock
    with pytest.raises(InputError, match="VideoUNet"):
        block(hidden, **kwargs)
    kwargs["cross_attention_kwargs"]["clip"] = clip
    torch.testing.assert_close(block(hidden, **kwargs), expected)


@pytest.mark.parametrize("kwargs", [None, {}])
def test_missing_frame_count_is_refused(block, kwargs):
    block.__class__ = SpatioTemporalBlock
    with pytest.raises(InputError, match="VideoUNet"):
        block(torch.zeros(5, 6, 8), cross_attention_kwargs=kwargs)
