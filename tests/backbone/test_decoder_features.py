import pytest
import torch

from giftune.backbone.decoder_features import DecoderFeatures
from giftune.backbone.stable_diffusion import load_backbone


@pytest.fixture(scope="module")
def vae():
    return load_backbone("emojiworld", device="cpu").vae


def test_they_are_the_maps_on_the_way_to_the_picture(vae):
    latents = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    passed = []
    hooks = [
        part.register_forward_hook(lambda module, inputs, output: passed.append(output))
        for part in (vae.decoder.mid_block, *vae.decoder.up_blocks)
    ]
    vae.decode(latents)
    for hook in hooks:
        hook.remove()
    for levels in (0, 1, 3):
        found = DecoderFeatures(vae, levels)(latents)
        assert len(found) == levels + 1
        for ours, theirs in zip(found, passed, strict=False):
            torch.testing.assert_close(ours, theirs)


def test_gradients_reach_the_latents_and_nothing_else(vae):
    latents = torch.zeros(1, 4, 8, 8, requires_grad=True)
    sum(m.square().mean() for m in DecoderFeatures(vae)(latents)).backward()
    assert latents.grad.abs().sum() > 0 and all(p.grad is None for p in vae.parameters())
