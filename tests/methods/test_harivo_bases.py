"""Weights of HARIVO on other checkpoints than the one they were trained on, and with control."""

import pytest
import torch

from giftune.backbone.control import load_control
from giftune.backbone.stable_diffusion import load_backbone
from giftune.errors import InputError
from giftune.methods.controlled import StructuralControl
from giftune.methods.harivo import Harivo
from tests.checkpoints import build_sd1
from tests.control_checkpoints import build_controlnet
from tests.loras import draw_deltas, write_peft_lora


def generator():
    return torch.Generator().manual_seed(1)


def draw(method, clip):
    (drawn,) = method.edit(clip, ["a cat"], generator())
    return drawn.frames


def build(backbone, **settings) -> Harivo:
    return Harivo(backbone, num_steps=3, guidance=2.0, **settings)


@pytest.fixture
def backbone(folders):
    return load_backbone(folders["sd1"], device="cpu")


@pytest.fixture
def trained(backbone, tmp_path):
    """A method whose new parts do something, and its file."""
    method = build(backbone)
    with torch.no_grad():
        for name in method.trainable():
            parameter = method.network.get_parameter(name)
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator()))
    method.save(tmp_path / "harivo.safetensors")
    return method, tmp_path / "harivo.safetensors"


def test_another_checkpoint_is_swapped_in(trained, folders, clip):
    other = load_backbone(folders["sd1"], device="cpu")
    with torch.no_grad():
        for parameter in other.unet.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator()))
    fresh = draw(build(load_backbone(folders["sd1"], device="cpu")), clip)
    swapped = build(other, weights=trained[1])
    results = [fresh, draw(trained[0], clip), draw(swapped, clip)]
    assert all((a - b).abs().max() > 1e-3 for a, b in zip(results, [*results[1:], fresh], strict=True))
    learnt = dict(trained[0].network.named_parameters())
    exported = [n for n in swapped.trainable() if "contrastive" not in n]
    assert all(swapped.network.get_parameter(name).equal(learnt[name]) for name in exported)


@pytest.mark.slow
def test_a_lora_is_swapped_in(trained, folders, backbone, clip, tmp_path):
    plain = load_backbone(folders["sd1"], device="cpu")
    write_peft_lora(tmp_path / "style.safetensors", draw_deltas(plain.unet))
    styled = load_backbone(folders["sd1"], [(tmp_path / "style.safetensors", 0.8)], device="cpu")
    found = draw(build(styled, weights=trained[1]), clip)
    assert found.isfinite().all() and (found - draw(trained[0], clip)).abs().max() > 1e-3


@pytest.mark.slow
def test_a_controlnet_is_added(trained, folders, clip, tmp_path):
    weights = load_control(build_controlnet(tmp_path / "control"), device="cpu")

    def controlled(scale, picture):
        control = StructuralControl(weights, lambda _: picture, scale)
        base = load_backbone(folders["sd1"], device="cpu")
        return draw(build(base, weights=trained[1], control=control), clip)

    one, other = torch.rand(2, *clip.frames.shape, generator=generator())
    plain = draw(trained[0], clip)
    torch.testing.assert_close(controlled(0.0, one), plain, rtol=1e-4, atol=1e-4)
    assert (controlled(1.0, one) - plain).abs().max() > 1e-3
    assert not controlled(1.0, one).equal(controlled(1.0, other))


def test_weights_of_another_width_are_refused_in_one_sentence(trained, tmp_path):
    wide = load_backbone(build_sd1(tmp_path / "wide", block_out_channels=(12, 24)), device="cpu")
    with pytest.raises(InputError, match=r"tuned with widths \[8, 16\], but here widths is \[12, 24\]"):
        build(wide, weights=trained[1])
