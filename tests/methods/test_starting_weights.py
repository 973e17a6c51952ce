"""Methods that learn from many clips go on from weights of fewer parts."""

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.errors import InputError
from giftune.methods.harivo import Harivo
from giftune.methods.pix2gif import VARIANTS, Pix2Gif

PARTS = {"mapping": "none", "tokens": "none", "contrastive_weight": 0.0}


@pytest.fixture
def harivo(folders):
    return lambda **settings: Harivo(load_backbone(folders["sd1"], device="cpu"), **settings)


@pytest.fixture
def pix2gif(folders):
    return lambda **settings: Pix2Gif(
        load_backbone(folders["sd1"], device="cpu"), flow_width=8, sentence="", **settings
    )


def trained(method, path):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name in method.trainable():
            parameter = method.network.get_parameter(name)
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator))
    method.save(path)
    return method


def clip_prediction(method):
    latents = torch.randn(1, 4, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        return method.workspace.predict(method.network, latents, 500, method.workspace.text(["a cat runs"]))


def test_new_parts_of_harivo_change_nothing_at_first(harivo, tmp_path):
    small = trained(harivo(**PARTS), tmp_path / "w")
    large = harivo(tokens="concat")
    large.start_from(tmp_path / "w")
    torch.testing.assert_close(clip_prediction(large), clip_prediction(small), rtol=1e-4, atol=1e-5)
    assert len(large.trainable()) > len(small.trainable())
    with pytest.raises(InputError, match="here transformer is 'none'"):
        harivo(**PARTS, transformer=False).start_from(tmp_path / "w")


def frame_prediction(method):
    generator = torch.Generator().manual_seed(1)
    source, latents = torch.randn(2, 1, 4, 8, 8, generator=generator)
    text = method.workspace.text(["a cat runs"])
    network = method.network.eval()
    with torch.no_grad():
        return network(latents, 500, network.conditions(source, text, torch.tensor([5])))


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name != "warp_add"])
def test_every_variant_of_pix2gif_starts_as_the_base_that_was_trained(pix2gif, tmp_path, variant):
    base = trained(pix2gif(variant="base"), tmp_path / "w")
    other = pix2gif(variant=variant)
    other.start_from(tmp_path / "w")
    torch.testing.assert_close(frame_prediction(other), frame_prediction(base), rtol=1e-4, atol=1e-5)


def test_a_part_that_is_not_here_is_refused(pix2gif, tmp_path):
    trained(pix2gif(variant="full"), tmp_path / "w")
    with pytest.raises(InputError, match="which is not trainable here"):
        pix2gif(variant="base").start_from(tmp_path / "w")
