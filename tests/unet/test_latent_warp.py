"""With the authors' own numbers, in `golden/`, and with shifts that anyone can check."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import affine_grid

from giftune.errors import InputError
from giftune.unet.latent_warp import LatentWarp, identity_grid, warped

GOLDEN = Path(__file__).parents[1] / "golden"


def our_name(official: str) -> str:
    return official.replace("injection1.", "injection.") if "injection" in official else f"flow.{official}"


@pytest.fixture(scope="module")
def values():
    return load_file(GOLDEN / "pix2gif-values.safetensors")


@pytest.fixture(scope="module")
def official():
    warp = LatentWarp(77, 768, mode="absolute")
    weights = load_file(GOLDEN / "pix2gif-weights.safetensors")
    missing = warp.load_state_dict({our_name(name): t for name, t in weights.items()}, strict=False)
    assert all(name.endswith("num_batches_tracked") for name in missing.missing_keys)
    assert not missing.unexpected_keys and sum(p.numel() for p in warp.parameters()) == 520_170
    return warp.eval()


def test_absolute_is_the_published_module(official, values):
    latents, context = values["latents"], values["context"]
    with torch.no_grad():
        injected = official.injection(context, 16, 16)
        flows = official.flow(latents, injected)
        found = {"injection": injected, "warped": official(latents, context)}
    found |= {f"flow{level}": flow for level, flow in enumerate(flows)}
    for name, value in found.items():
        torch.testing.assert_close(value, values[name], rtol=0, atol=1e-5)


def test_residual_starts_as_the_identity_and_can_learn(rng):
    latents = torch.randn(2, 4, 16, 16, generator=rng)
    warp = LatentWarp(24, 128)
    found = warp(latents, torch.randn(2, 24, 128, generator=rng))
    torch.testing.assert_close(found, latents, rtol=0, atol=1e-5)
    (found - latents.roll(1, dims=3)).square().mean().backward()
    assert warp.flow.predict_flow0[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize(("h", "w"), [(8, 8), (4, 12)])
def test_the_identity_grid_is_that_of_torch(h, w, rng):
    latents = torch.randn(2, 4, h, w, generator=rng)
    theirs = affine_grid(torch.eye(2, 3).repeat(2, 1, 1), list(latents.shape), align_corners=False)
    torch.testing.assert_close(identity_grid(latents), theirs)


def test_a_flow_of_pixels_shifts_by_pixels(rng):
    latents = torch.randn(1, 4, 16, 32, generator=rng)
    flow = torch.zeros(1, 2, 16, 32)
    flow[:, 0] = 3 * 2 / 32  # looks 3 to the right, so that content comes from there
    found = warped(latents, flow, "residual")
    torch.testing.assert_close(found[..., :-3], latents[..., 3:], rtol=0, atol=1e-5)
    assert found[..., -2:].abs().max() < 1e-5
    flow = torch.zeros(1, 2, 16, 32)
    flow[:, 1] = -2 * 2 / 16
    torch.testing.assert_close(
        warped(latents, flow, "residual")[:, :, 2:], latents[:, :, :-2], rtol=0, atol=1e-5
    )


def test_an_absolute_flow_of_zero_is_the_centre_everywhere():
    latents = torch.arange(16.0).view(1, 1, 4, 4).repeat(1, 4, 1, 1)
    found = warped(latents, torch.zeros(1, 2, 4, 4), "absolute")
    torch.testing.assert_close(found, torch.full_like(found, 7.5))  # between the four in the middle


def test_a_flow_without_reach_is_refused():
    with pytest.raises(InputError, match=r"reach is 0\.0"):
        LatentWarp(24, 128, reach=0.0)
