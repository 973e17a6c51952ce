import pytest
import torch
from diffusers import UNet2DConditionModel

from giftune.errors import InputError
from giftune.unet.inflate import inflate
from giftune.unet.trainable import SUFFIXES, count, select_trainable


def test_tune_a_video_selection(make_unet):
    video = inflate(make_unet())
    names = select_trainable(video.unet)
    blocks = {name.split(".attn1")[0] for name in names if "attn1" in name}
    parts = ["attn1.to_q.weight", "attn2.to_q.weight", "temporal.to_out.bias"]
    parts += [f"temporal.to_{part}.weight" for part in ("q", "k", "v", "out")]
    assert sorted(names) == sorted(f"{block}.{part}" for block in blocks for part in parts)
    assert {name for name, p in video.unet.named_parameters() if p.requires_grad} == set(names)
    assert count(video) == sum(dict(video.unet.named_parameters())[name].numel() for name in names)


def test_counts_at_the_size_of_stable_diffusion():
    """As in the official code: 859.5 M in the image model, 49.6 M added, 74.35 M in 112 tensors tuned."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8)
        image = sum(p.numel() for p in unet.parameters())
        video = inflate(unet)
    added = sum(p.numel() for p in video.parameters()) - image
    assert (image, added) == (859_520_964, 49_599_040)
    assert len(select_trainable(video)) == 112
    assert round(count(video) / 1e6, 2) == 74.35


def test_a_new_selection_replaces_the_old(make_unet):
    unet = make_unet()
    select_trainable(unet, ["attn1.to_q"])
    assert all(name.endswith("attn2.to_k.weight") for name in select_trainable(unet, ["attn2.to_k"]))


def test_a_suffix_may_name_a_norm_itself(make_unet):
    assert select_trainable(make_unet(), ["conv_norm_out"]) == ["conv_norm_out.weight", "conv_norm_out.bias"]


@pytest.mark.parametrize("suffix", ["temporal", "tn1.to_q", "conv_act", ""])
def test_suffixes_that_match_nothing_are_refused(make_unet, suffix):
    with pytest.raises(InputError, match=f"suffixes contains {suffix!r}"):
        select_trainable(make_unet(), [*SUFFIXES[:2], suffix])


def test_order_of_suffixes_does_not_matter(make_unet):
    video = inflate(make_unet())
    assert select_trainable(video, SUFFIXES) == select_trainable(video, SUFFIXES[::-1])


def test_frozen_parts_do_not_learn(make_unet):
    video = inflate(make_unet())
    everything = select_trainable(video)
    kept = select_trainable(video, frozen=["down_blocks"])
    assert kept == [name for name in everything if "down_blocks" not in name] and len(kept) < len(everything)
    assert {name for name, p in video.named_parameters() if p.requires_grad} == set(kept)
    first = select_trainable(video, frozen=["mid_block", "up_blocks.1"])
    assert all(".mid_block." not in name and ".up_blocks.1." not in name for name in first)
    assert any("down_blocks" in name for name in first)
    assert select_trainable(video) == everything


def test_what_is_learnt_without_the_down_blocks_at_the_size_of_stable_diffusion():
    """48.55 M of 74.35 M, as when reentrant checkpointing loses the gradients of the down path."""
    with torch.device("meta"):
        video = inflate(UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8))
    select_trainable(video, frozen=["down_blocks"])
    assert round(count(video) / 1e6, 2) == 48.55


@pytest.mark.parametrize("part", ["down_block", "blocks", ""])
def test_frozen_parts_must_exist(make_unet, part):
    with pytest.raises(InputError, match=f"frozen contains {part!r}"):
        select_trainable(make_unet(), ["attn1.to_q"], [part])


def test_something_must_be_left_to_learn(make_unet):
    with pytest.raises(InputError, match="leaves nothing to learn"):
        select_trainable(make_unet(), ["attn1.to_q"], ["down_blocks", "mid_block", "up_blocks"])
