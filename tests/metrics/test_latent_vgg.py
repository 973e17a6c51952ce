import pytest
import torch
from torch import nn
from torchvision.models.vgg import cfgs, make_layers

from giftune.metrics.features import MissingWeights, load_latent_vgg
from giftune.metrics.latent_vgg import LAYERS, LatentVgg


def narrow():
    """VGG-19's layers, eight times narrower."""
    torch.manual_seed(0)
    return make_layers([width if width == "M" else width // 8 for width in cfgs["E"]])


def test_colours_are_seen_as_before_and_the_fourth_channel_as_their_mean(generator):
    plain = narrow()
    vgg = LatentVgg(narrow())
    picture = torch.randn(2, 3, 32, 32, generator=generator)
    found = vgg(torch.cat([picture, torch.zeros(2, 1, 32, 32)], dim=1))
    hidden, expected = picture, []
    for index, layer in enumerate(plain):
        hidden = layer(hidden.clone())
        if index in LAYERS:
            expected.append(hidden.clamp(min=0))  # the layer behind writes into the map
    assert [m.shape[-1] for m in found] == [32, 16, 8, 4, 2]
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs)
    grey = torch.zeros(1, 4, 32, 32)
    grey[:, 3] = 1.0
    thirds = torch.full((1, 4, 32, 32), 1 / 3)
    thirds[:, 3] = 0
    torch.testing.assert_close(vgg(grey)[0], vgg(thirds)[0])


def test_without_its_weights_there_is_no_other_network(monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", "/nowhere")
    with pytest.raises(MissingWeights, match=r"VGG-19 for the perceptual loss: vgg19-.* is not in"):
        load_latent_vgg()


def test_it_is_frozen_and_lets_gradients_through(generator):
    vgg = LatentVgg(narrow())
    latents = torch.randn(1, 4, 32, 32, generator=generator, requires_grad=True)
    sum(m.square().sum() for m in vgg(latents)).backward()
    assert latents.grad.abs().sum() > 0 and not any(p.requires_grad for p in vgg.parameters())
    assert isinstance(vgg.layers, nn.Sequential) and not vgg.training
