import pytest
from peft import LoraConfig

from giftune.errors import InputError
from giftune.unet.inflate import inflate

UNSUPPORTED = {
    "only_cross_attention": {"only_cross_attention": True},
    "class_embed_type": {"class_embed_type": "timestep"},
    "encoder_hid_dim_type": {"encoder_hid_dim": 8, "encoder_hid_dim_type": "text_proj"},
    "dual_cross_attention": {"dual_cross_attention": True},
    "addition_embed_type": {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 4,
        "projection_class_embeddings_input_dim": 8,
    },
    "GLIGEN": {"attention_type": "gated"},
    "group_norm": {"down_block_types": ("CrossAttnDownBlock2D", "AttnDownBlock2D")},
    "added_kv_proj_dim": {"mid_block_type": "UNetMidBlock2DSimpleCrossAttn"},
}


@pytest.mark.parametrize(("named", "overrides"), UNSUPPORTED.items(), ids=UNSUPPORTED.keys())
def test_other_architectures_are_refused_by_name(make_unet, named, overrides):
    with pytest.raises(InputError, match=named):
        inflate(make_unet(**overrides))


def test_adapters_must_be_fused_first(make_unet):
    unet = make_unet()
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    with pytest.raises(InputError, match="LoRA"):
        inflate(unet)


def test_a_network_without_text_is_refused(make_unet):
    unconditional = {
        "down_block_types": ("DownBlock2D", "DownBlock2D"),
        "up_block_types": ("UpBlock2D", "UpBlock2D"),
        "mid_block_type": None,
    }
    with pytest.raises(InputError, match="no transformer block"):
        inflate(make_unet(**unconditional))
