import pytest
import torch

from giftune.diffusion.prediction import add_noise, to_x0
from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError
from giftune.sampling.mitigating_gradient import MitigatingGradient
from giftune.sampling.sampler import sample

SCHEDULE = Schedule.from_config({"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012})
T = 501


@pytest.fixture
def latents(rng):
    return torch.randn(2, 3, 5, 4, 4, generator=rng)


def wavy(latents, t):
    """A denoiser whose prediction depends on the latents, one frame by the others too."""
    return (0.3 * latents + 0.1 * latents.roll(1, dims=2)).sin()


def constant(value):
    return lambda latents, t: value


def clean(epsilon, latents):
    return to_x0(epsilon, latents, SCHEDULE.alpha_bar(T), "epsilon")


def test_scale_0_is_ddim_to_the_last_bit(latents):
    plain = sample(wavy, latents, SCHEDULE, 5)
    assert sample(MitigatingGradient(0.0).guided(wavy, SCHEDULE), latents, SCHEDULE, 5).equal(plain)
    moved = sample(MitigatingGradient(40.0).guided(wavy, SCHEDULE), latents, SCHEDULE, 5)
    assert not moved.equal(plain) and moved.isfinite().all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("order", [1, 2])
def test_detached_is_the_derivative_by_hand(latents, reduction, order):
    """Of the sum of squares |D x0|^2 it is 2 D^T D x0 / sqrt(alpha_bar)."""
    epsilon, alpha_bar = torch.randn_like(latents), SCHEDULE.alpha_bar(T)
    guidance = MitigatingGradient(3.0, reduction=reduction, order=order, capped=False)
    found = guidance.guided(constant(epsilon), SCHEDULE)(latents, T)
    difference = torch.eye(5).diff(n=order, dim=0)
    gradient = torch.einsum("gf,bcfhw->bcghw", 2 * difference.T @ difference, clean(epsilon, latents))
    count = 3 * 16 * len(difference) if reduction == "mean" else 1
    expected = epsilon + 3 * (1 - alpha_bar).sqrt() * gradient / alpha_bar.sqrt() / count
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_full_is_the_derivative_by_small_steps(latents):
    guidance, latents = MitigatingGradient(1.0, backprop="full", capped=False), latents.double()
    moved = guidance.guided(wavy, SCHEDULE)(latents, T) - wavy(latents, T)
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(5)).double()

    def roughness(x):
        return guidance.roughness(clean(wavy(x, T), x)).sum()

    slope = (roughness(latents + 1e-5 * direction) - roughness(latents - 1e-5 * direction)) / 2e-5
    scale = (1 - SCHEDULE.alpha_bar(T).double()).sqrt()
    torch.testing.assert_close((moved * direction).sum(), scale * slope, rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("backprop", ["detached", "full"])
@pytest.mark.parametrize("order", [1, 2])
def test_one_step_makes_a_clip_smoother(latents, backprop, order):
    epsilon = torch.randn_like(latents)
    guidance = MitigatingGradient(1.0, backprop=backprop, order=order)
    moved = guidance.guided(constant(epsilon), SCHEDULE)(latents, T)
    before, after = (guidance.roughness(clean(eps, latents)) for eps in (epsilon, moved))
    assert (after < before).all()


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("order", [1, 2])
def test_a_cap_keeps_large_scales_from_overshooting(latents, reduction, order):
    """With a flicker over many frames, the fastest there is, the capped step ends where it is gone."""
    flicker = torch.tensor([1.0, -1.0]).repeat(50)[:, None, None].expand(2, 3, 100, 4, 4)
    noisy = add_noise(flicker, torch.zeros(()).expand_as(flicker), SCHEDULE.alpha_bar(T))
    results = {}
    for capped in (True, False):
        guidance = MitigatingGradient(1e6, reduction=reduction, order=order, capped=capped)
        moved = guidance.guided(constant(torch.zeros_like(noisy)), SCHEDULE)(noisy, T)
        results[capped] = clean(moved, noisy)[:, :, 5:-5]
    assert results[True].abs().max() < 1e-3 and results[False].abs().max() > 10
    small = MitigatingGradient(1e-3, reduction=reduction, order=order).guided(wavy, SCHEDULE)
    plain = MitigatingGradient(1e-3, reduction=reduction, order=order, capped=False).guided(wavy, SCHEDULE)
    assert small(latents, T).equal(plain(latents, T))


@pytest.mark.parametrize("backprop", ["detached", "full"])
def test_a_still_clip_is_left_alone(latents, backprop):
    still = latents[:, :, :1].expand(-1, -1, 5, -1, -1)
    guidance = MitigatingGradient(100.0, backprop=backprop)
    assert guidance.guided(wavy, SCHEDULE)(still, T).equal(wavy(still, T))
    alone = latents[:, :, :1]
    assert guidance.guided(wavy, SCHEDULE)(alone, T).equal(wavy(alone, T))


def test_a_steady_change_has_no_second_difference(latents):
    epsilon = torch.randn_like(latents)
    x0 = torch.arange(5.0)[:, None, None] + latents[:, :, :1]
    noisy = add_noise(x0, epsilon, SCHEDULE.alpha_bar(T))
    first, second = (
        MitigatingGradient(1.0, order=order).roughness(clean(epsilon, noisy)) for order in (1, 2)
    )
    torch.testing.assert_close(first, torch.ones(2), rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(second, torch.zeros(2), rtol=0, atol=1e-6)


def test_clips_do_not_mix_and_the_range_is_kept(latents):
    guidance = MitigatingGradient(5.0, t_range=[400, 600])
    denoise = guidance.guided(wavy, SCHEDULE)
    torch.testing.assert_close(denoise(latents, T)[1:], denoise(latents[1:], T))
    for t in (399, 601):
        assert denoise(latents, t).equal(wavy(latents, t))
    for t in (400, 600):
        assert not denoise(latents, t).equal(wavy(latents, t))


def test_refuses():
    for settings, sentence in (
        ({"alpha": -1.0}, "alpha is -1"),
        ({"order": 3}, "order is 3"),
        ({"t_range": [600, 400]}, r"t_range is \[600, 400\]"),
    ):
        with pytest.raises(InputError, match=sentence):
            MitigatingGradient(**settings)
