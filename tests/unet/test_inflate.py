import pytest
import torch

from giftune.attention.patterns import per_frame, sparse_causal
from giftune.attention.processor import CrossFrameAttnProcessor
from giftune.errors import InputError
from giftune.unet.block import SpatioTemporalBlock
from giftune.unet.inflate import inflate, verify


def by_image_model(unet, latents, t, text):
    """The image model run on each frame by itself."""
    frames = [unet(frame, t, text).sample for frame in latents.unbind(2)]
    return torch.stack(frames, dim=2)


@torch.no_grad()
@pytest.mark.parametrize("norm", ["per_frame", "pooled"])
def test_a_still_is_what_the_image_model_says(make_unet, batch, norm):
    latents, t, text = batch
    expected = by_image_model(make_unet(), latents[:, :, :1], t, text)
    torch.testing.assert_close(inflate(make_unet(), norm=norm)(latents[:, :, :1], t, text), expected)


@torch.no_grad()
def test_per_frame_attention_is_the_image_model_on_each_frame(make_unet, batch):
    video = inflate(make_unet(), pattern=per_frame)(*batch)
    torch.testing.assert_close(video, by_image_model(make_unet(), *batch), rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_fresh_temporal_attention_changes_nothing(make_unet, batch, awaken):
    with_temporal = inflate(make_unet())
    fresh = with_temporal(*batch)
    assert torch.equal(fresh, inflate(make_unet(), temporal=False)(*batch))
    awaken(with_temporal)
    assert not torch.allclose(fresh, with_temporal(*batch), atol=1e-3)


@torch.no_grad()
def test_sparse_causal_frames_depend_on_the_first_and_earlier_frames_only(make_unet, batch):
    latents, t, text = batch
    video = inflate(make_unet(), temporal=False)
    before = video(latents, t, text)
    expected = by_image_model(make_unet(), latents, t, text)
    torch.testing.assert_close(before[:, :, 0], expected[:, :, 0])
    changed = latents.clone()
    changed[:, :, 3] += 1
    after = video(changed, t, text)
    same = [torch.allclose(before[:, :, i], after[:, :, i], atol=1e-6) for i in range(5)]
    assert same == [True, True, True, False, False]


def test_image_keys_and_values_stay(make_unet):
    image = make_unet().state_dict()
    video = inflate(make_unet(), norm="pooled").unet.state_dict()
    assert all(torch.equal(video[key], value) for key, value in image.items())
    assert all(".temporal." in key for key in video.keys() - image.keys())


def test_every_block_gets_temporal_attention_in_the_type_of_the_network(make_unet):
    unet = make_unet().to(torch.bfloat16)
    num_blocks = sum(type(m).__name__ == "BasicTransformerBlock" for m in unet.modules())
    blocks = [m for m in inflate(unet).modules() if isinstance(m, SpatioTemporalBlock)]
    assert len(blocks) == num_blocks > 0
    assert {p.dtype for block in blocks for p in block.temporal.parameters()} == {torch.bfloat16}


@torch.no_grad()
def test_a_stock_call_without_frames_fails(make_unet, batch):
    latents, t, text = batch
    unet = inflate(make_unet()).unet
    with pytest.raises(ValueError, match="VideoUNet"):
        unet(latents[:, :, 0], t, text)


@pytest.mark.parametrize("call", ["set_attention_slice", "fuse_qkv_projections"])
def test_replaced_processors_are_found(make_unet, call):
    video = inflate(make_unet())
    verify(video)
    getattr(video.unet, call)(*([1] if call == "set_attention_slice" else []))
    for network in (video, video.unet):
        with pytest.raises(RuntimeError, match=r"attn1.processor is a (Sliced|Fused)AttnProcessor"):
            verify(network)
    video.unet.set_attn_processor(CrossFrameAttnProcessor(sparse_causal))
    verify(video)


def test_inflating_twice_is_refused(make_unet):
    with pytest.raises(InputError, match="inflated already"):
        inflate(inflate(make_unet()).unet)
