import json
from importlib.resources import files

import pytest
import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel

from giftune.attention.control import copied, decoder_layers, features, queries_and_keys
from giftune.errors import InputError

FRAMES = 3


@pytest.fixture
def unet() -> UNet2DConditionModel:
    """Six layers in the decoder, of which the first two have no attention."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 8, 8),
        layers_per_block=1,
        norm_num_groups=4,
        cross_attention_dim=12,
        attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()


@pytest.fixture
def inputs(rng) -> tuple[torch.Tensor, int, torch.Tensor]:
    """Two clips besides the source, frames folded."""
    return torch.randn(3 * FRAMES, 4, 8, 8, generator=rng), 500, torch.randn(3 * FRAMES, 7, 12, generator=rng)


def run(unet, latents, t, text):
    with torch.no_grad():
        return unet(latents, t, text).sample


def recorded(unet, inputs, modules):
    """The output of the network, and of each module."""
    outputs = {}
    handles = [
        module.register_forward_hook(lambda module, _, output: outputs.update({module: output}))
        for module in modules
    ]
    result = run(unet, *inputs)
    for handle in handles:
        handle.remove()
    return result, [outputs[module] for module in modules]


def test_layers_are_counted_as_in_the_paper():
    """Of Stable Diffusion itself: features of up_blocks[1].resnets[1], attention from up_blocks[1] on."""
    config = json.loads((files("giftune.backbone") / "configs/sd1/unet/config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    assert len(decoder_layers(unet)) == 12
    assert features(unet, 4) == [unet.up_blocks[1].resnets[1].conv2]
    transformers = [
        *unet.up_blocks[1].attentions[1:],
        *unet.up_blocks[2].attentions,
        *unet.up_blocks[3].attentions,
    ]
    attentions = [transformer.transformer_blocks[0].attn1 for transformer in transformers]
    assert len(attentions) == 8
    assert queries_and_keys(unet, 4) == [p for a in attentions for p in (a.to_q, a.to_k)]


def test_the_source_replaces_what_others_put_out(unet, inputs):
    """Against the source alone, whose outputs are recorded in a run of its own."""
    modules = [*features(unet, 1), *queries_and_keys(unet, 2)]
    alone = [part[:FRAMES] if torch.is_tensor(part) else part for part in inputs]
    _, expected = recorded(unet, alone, modules)
    with copied(modules, FRAMES):
        _, found = recorded(unet, inputs, modules)
    for source, each in zip(expected, found, strict=True):
        for part in each.split(FRAMES):
            torch.testing.assert_close(part, source, atol=1e-5, rtol=1e-5)


def test_values_stay_their_own(unet, inputs):
    """The attention of the last layer, written out from the recorded projections."""
    attention = decoder_layers(unet)[5].attentions[0]
    modules = [attention.to_q, attention.to_k, attention.to_v, attention]
    with copied(queries_and_keys(unet, 5), FRAMES):
        _, (query, key, value, output) = recorded(unet, inputs, modules)
    assert not value[:FRAMES].allclose(value[FRAMES : 2 * FRAMES])

    def heads(x):
        return x.unflatten(-1, (attention.heads, -1)).transpose(1, 2)

    query, key = (heads(x[:FRAMES]).repeat(3, 1, 1, 1) for x in (query, key))
    seen = torch.softmax(query @ key.mT * attention.scale, dim=-1) @ heads(value)
    projection = attention.to_out[0]
    expected = F.linear(seen.transpose(1, 2).flatten(2), projection.weight, projection.bias)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)


def test_features_are_copied_before_the_residual(unet, inputs):
    """Into a reimplementation of what the residual block does around its second convolution."""
    resnet, modules = decoder_layers(unet)[3].resnet, features(unet, 3)
    entered = []
    handle = resnet.register_forward_pre_hook(lambda _, given: entered.append(given[0]))
    with copied(modules, FRAMES):
        _, (output, convolved) = recorded(unet, inputs, [resnet, resnet.conv2])
    handle.remove()
    expected = resnet.conv_shortcut(entered[0]) + convolved[:FRAMES].repeat(3, 1, 1, 1)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)


def test_the_source_itself_is_not_touched_and_the_others_are(unet, inputs):
    plain = run(unet, *inputs)
    for modules in (features(unet, 0), queries_and_keys(unet, 2)):
        with copied(modules, FRAMES):
            steered = run(unet, *inputs)
        torch.testing.assert_close(steered[:FRAMES], plain[:FRAMES])
        assert (steered[FRAMES:] - plain[FRAMES:]).abs().max() > 1e-3


def test_nothing_stays_behind(unet, inputs):
    plain = run(unet, *inputs)
    modules = [*features(unet, 1), *queries_and_keys(unet, 0)]
    with pytest.raises(KeyError), copied(modules, FRAMES):
        raise KeyError
    assert not any(module._forward_hooks for module in unet.modules())
    assert run(unet, *inputs).equal(plain)


def test_layers_that_are_not_there_are_refused(unet):
    for layer in (-1, 6):
        with pytest.raises(InputError, match=f"feature_layer is {layer}, but .* layers 0 to 5"):
            features(unet, layer)
        with pytest.raises(
            InputError, match=f"first_attention_layer is {layer}, but .* self-attention are 2, 3"
        ):
            queries_and_keys(unet, layer)
