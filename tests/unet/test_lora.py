import pytest
import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import nn

from giftune.errors import InputError
from giftune.unet.inflate import inflate
from giftune.unet.lora import Lora, add_lora, lora_layers, merge_lora
from giftune.unet.trainable import count, select_trainable
from giftune.unet.weights import load_weights, save_weights


@pytest.fixture
def make_low_rank(make_unet):
    """A network with the low-rank layers, and the names that learn."""

    def make(lora=None, seed=0):
        unet = make_unet()
        torch.manual_seed(seed)
        video = inflate(unet)
        select_trainable(video)
        lora = lora or Lora(2, alpha=3.0)
        return video, add_lora(video, lora, torch.Generator().manual_seed(seed))

    return make


def learn(video, rng):
    with torch.no_grad():
        for layer in lora_layers(video):
            layer.lora_up.normal_(std=0.3, generator=rng)


@torch.no_grad()
def test_starts_as_the_network_it_was(make_unet, batch):
    video = inflate(make_unet())
    expected, keys = video(*batch), list(video.state_dict())
    select_trainable(video)
    add_lora(video, Lora(2), torch.Generator().manual_seed(0))
    torch.testing.assert_close(video(*batch), expected, atol=1e-5, rtol=1e-5)
    assert [key for key in video.state_dict() if "lora" not in key] == keys


def test_only_thin_matrices_and_biases_learn(make_low_rank, make_unet, batch, rng):
    video, names = make_low_rank()
    assert all(name.endswith(("lora_down", "lora_up", "bias")) for name in names)
    assert {name for name, p in video.named_parameters() if p.requires_grad} == set(names)
    layers = {name.rpartition(".")[0] for name in names}
    whole = select_trainable(inflate(make_unet()))
    assert layers == {name.rpartition(".")[0] for name in whole}
    learn(video, rng)
    video(*batch).square().mean().backward()
    with_gradient = {n for n, p in video.named_parameters() if p.grad is not None and p.grad.abs().max() > 0}
    assert with_gradient == set(names)


def test_equals_a_peft_layer(rng):
    ours = nn.Sequential(nn.Linear(12, 10))
    theirs = nn.Sequential(nn.Linear(12, 10))
    theirs.load_state_dict(ours.state_dict())
    inject_adapter_in_model(LoraConfig(r=3, lora_alpha=5, target_modules=["0"]), theirs)
    names = add_lora(ours, Lora(3, 5.0), torch.Generator().manual_seed(0))
    assert names == ["0.bias", "0.lora_down", "0.lora_up"]
    learn(ours, rng)
    theirs[0].lora_A["default"].weight.data.copy_(ours[0].lora_down)
    theirs[0].lora_B["default"].weight.data.copy_(ours[0].lora_up)
    inputs = torch.randn(4, 7, 12, generator=rng)
    torch.testing.assert_close(ours(inputs), theirs(inputs))


@torch.no_grad()
def test_merges_exactly_into_whole_matrices(make_low_rank, make_unet, batch, rng):
    video, _ = make_low_rank()
    learn(video, rng)
    expected = video(*batch)
    before = dict(inflate(make_unet()).named_parameters())
    layer = video.unet.mid_block.attentions[0].transformer_blocks[0].attn2.to_q
    weight, update = layer.weight.clone(), 1.5 * layer.lora_up @ layer.lora_down
    merge_lora(video)
    torch.testing.assert_close(layer.weight, weight + update)
    torch.testing.assert_close(video(*batch), expected, atol=1e-5, rtol=1e-4)
    assert not lora_layers(video) and list(before) == [n for n, _ in video.named_parameters()]
    learnt = {n for n, p in video.named_parameters() if p.requires_grad}
    assert learnt == set(select_trainable(inflate(make_unet()))), "as if whole matrices had been tuned"


@torch.no_grad()
def test_weights_return(make_low_rank, make_unet, batch, rng, tmp_path):
    """Whatever the new layers were before: the random start of temporal attention is in no file."""
    video, names = make_low_rank()
    learn(video, rng)
    save_weights(video, names, tmp_path / "lora.safetensors", video.architecture)
    other, _ = make_low_rank(seed=9)
    load_weights(other, tmp_path / "lora.safetensors", other.architecture)
    assert torch.equal(other(*batch), video(*batch))
    for wrong in (make_low_rank(Lora(1, 3.0))[0], make_low_rank(Lora(2, 4.0))[0]):
        with pytest.raises(InputError, match="tuned with lora"):
            load_weights(wrong, tmp_path / "lora.safetensors", wrong.architecture)
    whole = inflate(make_unet())
    select_trainable(whole)
    with pytest.raises(InputError, match="not"):
        load_weights(whole, tmp_path / "lora.safetensors", whole.architecture)


def test_randomness_is_that_of_the_generator(make_low_rank):
    one, same, other = (lora_layers(make_low_rank(seed=seed)[0])[0].lora_down for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)


def test_how_much_less_there_is_to_learn_at_the_size_of_stable_diffusion():
    """Per layer rank (in + out) instead of in x out: of 74.35 M values 2.41 M are left at rank 16."""
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        video = inflate(UNet2DConditionModel(cross_attention_dim=768, attention_head_dim=8))
        names = select_trainable(video)
        shapes = [video.get_parameter(name).shape for name in names]
        add_lora(video, Lora(16), torch.Generator())
    assert count(video) == sum(16 * sum(shape) if len(shape) == 2 else shape[0] for shape in shapes)
    assert round(count(video) / 1e6, 2) == 2.41


def test_layers_that_it_would_not_make_smaller_learn_as_a_whole(make_low_rank):
    """Those of 8 channels at rank 4 and more; those of 16 need a rank below 8."""
    video, names = make_low_rank(Lora(4))
    assert {layer.in_features for layer in lora_layers(video)} == {16}
    whole = [name for name in names if name.endswith("weight")]
    assert whole and {video.get_parameter(name).shape for name in whole} == {(8, 8)}
    with pytest.warns(UserWarning, match=r"lora\.rank 8 makes no layer smaller"):
        video, _ = make_low_rank(Lora(8))
    assert not lora_layers(video) and "lora" not in video.architecture


def test_refuses(make_unet):
    for settings in ({"rank": 0}, {"rank": 2, "alpha": 0.0}, {"rank": 2, "alpha": float("nan")}):
        with pytest.raises(InputError, match=r"lora\.(rank|alpha)"):
            Lora(**settings)
    video = inflate(make_unet())
    select_trainable(video)
    select_trainable(video, ["conv_in"])
    with pytest.raises(InputError, match="conv_in is no linear layer"):
        add_lora(video, Lora(2), torch.Generator())
