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
