from functools import partial

import pytest
import torch

from giftune.diffusion.noise import autocorrelated, independent, mixed, progressive, shared
from giftune.errors import InputError

SHAPE = (2, 4, 5, 64, 64)
DISTANCE = (torch.arange(5)[:, None] - torch.arange(5)).abs()
CASES = {
    "independent": (independent, torch.eye(5)),
    "shared": (partial(shared, rho=0.7), torch.where(DISTANCE == 0, 1.0, 0.7)),
    "all_shared": (shared, torch.ones(5, 5)),
    "autocorrelated": (partial(autocorrelated, rho=0.8), 0.8**DISTANCE),
    "mixed": (partial(mixed, a=2.0), torch.where(DISTANCE == 0, 1.0, 4 / 5)),
    "progressive": (partial(progressive, a=2.0), (2 / 5**0.5) ** DISTANCE),
}


@pytest.mark.parametrize(("draw", "covariance"), CASES.values(), ids=CASES.keys())
def test_covariance_over_frames(draw, covariance, rng):
    noise = draw(SHAPE, rng)
    measured = torch.cov(noise.movedim(2, 0).flatten(1))
    torch.testing.assert_close(measured, covariance, rtol=0, atol=0.03)


@pytest.mark.parametrize("draw", [case[0] for case in CASES.values()], ids=CASES.keys())
def test_a_seed_fixes_the_noise_in_every_type(draw):
    noise = draw(SHAPE, torch.Generator().manual_seed(1))
    narrow = draw(SHAPE, torch.Generator().manual_seed(1), dtype=torch.bfloat16)
    assert noise.shape == SHAPE
    assert torch.equal(noise.bfloat16(), narrow)
    assert not torch.equal(noise, draw(SHAPE, torch.Generator().manual_seed(2)))


@pytest.mark.parametrize("draw", [shared, autocorrelated])
def test_impossible_correlations_are_refused(draw, rng):
    with pytest.raises(InputError, match=r"rho is 1\.5"):
        draw(SHAPE, rng, rho=1.5)


@pytest.mark.parametrize("draw", [mixed, progressive])
def test_impossible_ratios_are_refused(draw, rng):
    for a in (-1.0, float("inf"), float("nan")):
        with pytest.raises(InputError, match=rf"a is {a}"):
            draw(SHAPE, rng, a=a)


def test_progressive_noise_is_pyocos_recursion():
    a = 1.5
    new = torch.randn(SHAPE, generator=torch.Generator().manual_seed(4))
    expected = [new[:, :, 0]]
    for i in range(1, 5):
        expected.append(a / (1 + a**2) ** 0.5 * expected[-1] + (1 / (1 + a**2)) ** 0.5 * new[:, :, i])
    found = progressive(SHAPE, torch.Generator().manual_seed(4), a)
    torch.testing.assert_close(found, torch.stack(expected, dim=2))
