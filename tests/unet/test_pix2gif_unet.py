import pytest
import torch
from diffusers import UNet2DConditionModel

from giftune.unet.latent_warp import LatentWarp
from giftune.unet.motion_embedding import MotionEmbedding
from giftune.unet.pix2gif_unet import Pix2GifUNet
from tests.checkpoints import SD1

CHANNELS = {"source": 8, "warped": 8, "sum": 8, "both": 12}


@pytest.fixture
def make():
    def make(join, mode="residual"):
        torch.manual_seed(0)
        warp = None if join == "source" else LatentWarp(7, 16, width=8, mode=mode)
        return Pix2GifUNet(UNet2DConditionModel(**SD1), MotionEmbedding(16), warp, join)

    return make


@pytest.fixture
def inputs(rng):
    latents, source = torch.randn(2, 2, 4, 8, 8, generator=rng)
    return latents, source, torch.randn(2, 7, 16, generator=rng), torch.tensor([2, 19])


@pytest.mark.parametrize("join", CHANNELS)
@pytest.mark.parametrize("mode", ["residual", "absolute"])
def test_at_the_start_it_is_the_image_model(make, inputs, join, mode):
    latents, source, text, motion = inputs
    torch.manual_seed(0)
    if join != "source":
        LatentWarp(7, 16, width=8, mode=mode)  # draws as many numbers
    plain = UNet2DConditionModel(**SD1)
    network = make(join, mode).eval()
    assert network.unet.conv_in.in_channels == CHANNELS[join]
    with torch.no_grad():
        found = network(latents, 500, network.conditions(source, text, motion))
        torch.testing.assert_close(found, plain(latents, 500, text).sample, rtol=0, atol=1e-5)


def test_what_is_joined(make, inputs):
    _, source, text, motion = inputs
    seen = {}
    for join in CHANNELS:
        network = make(join, "absolute").eval()
        conditions = network.conditions(source, text, motion)
        seen[join] = conditions.picture
        assert (conditions.warped is None) == (join == "source")
    assert torch.equal(seen["source"], source) and not torch.equal(seen["warped"], source)
    torch.testing.assert_close(seen["sum"], seen["warped"] + source)
    assert torch.equal(seen["both"], torch.cat([source, seen["warped"]], dim=1))


def test_a_picture_of_nothing_stays_nothing_when_warped(make, inputs):
    _, source, text, motion = inputs
    conditions = make("both", "absolute").eval().conditions(torch.zeros_like(source), text, motion)
    assert not conditions.picture.any()


def test_motion_reaches_both_the_warp_and_the_attention(make, inputs):
    _, source, text, _ = inputs
    network = make("both", "absolute").eval()
    with torch.no_grad():
        network.embedding.table.weight[19] += 1.0
    one, other = (network.conditions(source, text, torch.tensor([m, m])) for m in (2, 19))
    assert not torch.allclose(one.warped, other.warped)
    torch.testing.assert_close(other.text, one.text + 1)
