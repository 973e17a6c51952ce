import dataclasses

import pytest
import torch
from einops import rearrange
from torch import nn

from giftune.diffusion.prediction import add_noise
from giftune.errors import InputError
from giftune.losses.background import Background


class Red(nn.Module):
    """As if the red channel were inverse depth; counts the frames that it looks at."""

    def __init__(self, scale=1.0, shift=0.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))
        self.shift, self.seen = shift, 0

    def forward(self, frames):
        self.seen += len(frames)
        return self.scale * frames[:, 0] + self.shift


def decode(latents):
    return rearrange(latents[:, :3], "b c f h w -> b f c h w")


@pytest.fixture
def make(make_step):
    """A step whose source is a far left side and a near right one; `change` is added to what is predicted."""

    def make(change=0.0, alpha_bar=(0.9,), num_frames=3, seed=0):
        generator = torch.Generator().manual_seed(seed)
        x0 = torch.rand(len(alpha_bar), 4, num_frames, 8, 12, generator=torch.Generator().manual_seed(9))
        x0[..., 6:] += 5
        levels = torch.tensor(alpha_bar)
        noise = torch.randn(x0.shape, generator=generator)
        noisy = add_noise(x0, noise, levels)
        predicted = x0 + change
        root = levels.reshape(-1, 1, 1, 1, 1).sqrt()
        prediction = (noisy - root * predicted) / (1 - root**2).sqrt()
        t = torch.zeros(len(alpha_bar), dtype=torch.long)
        step = make_step()
        return dataclasses.replace(
            step, noisy=noisy, prediction=prediction.requires_grad_(), target=noise, x0=x0, t=t,
            alpha_bar=levels, decode=decode,
        )  # fmt: skip

    return make


def test_the_source_costs_nothing_and_neither_does_an_affine_copy_of_its_depth(make):
    step = make()
    torch.testing.assert_close(Background(Red())(step), torch.tensor(0.0), atol=1e-6, rtol=0)
    copied = make(change=2 * make().x0 + 3)  # x0_hat = 3 x0 + 3
    torch.testing.assert_close(Background(Red())(copied), torch.tensor(0.0), atol=1e-6, rtol=0)
    inside_out = make(change=-2 * make().x0)
    assert Background(Red())(inside_out) > 1e-3


def test_only_the_background_counts_and_it_does_count(make):
    noise = torch.rand(1, 4, 3, 8, 12, generator=torch.Generator().manual_seed(5))
    left, right = noise.clone(), noise.clone()
    left[..., 6:] = 0
    right[..., :6] = 0
    loss = Background(Red(), frames_per_step=3)
    assert loss(make(change=right)) < 1e-6 < 1e-4 < loss(make(change=left))


def test_gradient_reaches_the_prediction_but_not_the_depth_network(make):
    noise = torch.rand(1, 4, 3, 8, 12, generator=torch.Generator().manual_seed(5))
    step, loss = make(change=noise), Background(Red(), frames_per_step=1)
    loss(step).backward()
    touched = step.prediction.grad.abs().sum((0, 1, 3, 4)) > 0
    assert touched.sum() == 1, "one frame was decoded"
    near, far = step.prediction.grad[..., 6:], step.prediction.grad[..., :6]
    assert near.abs().max() == 0 < far.abs().max()
    assert loss.depth.scale.grad is None


def test_descending_the_gradient_lowers_the_loss(make):
    noise = 0.3 * torch.rand(1, 4, 3, 8, 12, generator=torch.Generator().manual_seed(5))
    step, loss = make(change=noise), Background(Red(), frames_per_step=3)
    before = loss(step)
    before.backward()
    better = (step.prediction - 0.05 * step.prediction.grad / step.prediction.grad.norm()).detach()
    assert loss(dataclasses.replace(step, prediction=better)) < before


def test_weights_each_clip_by_its_noise_level_and_skips_the_noisy_ones(make):
    noise = torch.rand(1, 4, 3, 8, 12, generator=torch.Generator().manual_seed(5))
    high, low = (Background(Red(), 3)(make(noise, alpha_bar=(level,))) for level in (0.9, 0.3))
    torch.testing.assert_close(high / low, torch.tensor(3.0), atol=1e-3, rtol=1e-3)
    both = Background(Red(), 3)(make(noise.repeat(2, 1, 1, 1, 1), alpha_bar=(0.9, 0.1)))
    first = Background(Red(), 3)(dataclasses.replace(_first_of_two(make, noise), decode=decode))
    torch.testing.assert_close(both, first / 2)
    skipped = make(noise, alpha_bar=(0.1,))
    loss = Background(Red())
    value = loss(skipped)
    value.backward()
    assert value == 0 and loss.depth.seen == 0 and (skipped.prediction.grad == 0).all()


def _first_of_two(make, noise):
    step = make(noise.repeat(2, 1, 1, 1, 1), alpha_bar=(0.9, 0.1))
    names = ("noisy", "prediction", "target", "x0", "t", "alpha_bar")
    return dataclasses.replace(step, **{name: getattr(step, name)[:1] for name in names})


def test_the_source_is_looked_at_once(make):
    loss = Background(Red(), frames_per_step=2)
    loss(make(num_frames=10))
    assert loss.depth.seen == 10 + 2
    loss(make(num_frames=10, seed=1))
    assert loss.depth.seen == 10 + 2 + 2
    loss(dataclasses.replace(make(), x0=make().x0 + 1))
    assert loss.depth.seen == 10 + 2 + 2 + 3 + 2, "another clip"


def test_the_source_is_looked_at_once_for_all_runs_too(make, tmp_path):
    step = make(num_frames=10)
    first, again, other = (Background(Red(), cache=tmp_path, quantile=q) for q in (None, None, 0.5))
    values = [loss(step) for loss in (first, again, other)]
    assert values[0].equal(Background(Red())(step)) and values[1].equal(values[0])
    assert first.depth.seen == 1 + 10 + 2 and again.depth.seen == 1 + 2
    assert other.depth.seen == first.depth.seen, "other settings"
    brighter = dataclasses.replace(step, decode=lambda latents: decode(latents) * 1.5)
    for loss, change in ((Background(Red(2.0), cache=tmp_path), step), (again, brighter)):
        loss._source, loss.depth.seen = None, 0
        loss(change)
        assert loss.depth.seen == first.depth.seen, "another network or decoder"


def test_samples_of_one_source_share_its_depth(make):
    loss, step = Background(Red(), frames_per_step=1), make()
    values = [loss(dataclasses.replace(step, x0=step.x0 + i, source=step.x0)).item() for i in range(3)]
    assert loss.depth.seen == 3 + 3 and len(set(values)) == 1


def test_the_choice_of_frames_depends_on_the_step_alone(make):
    noise = torch.rand(1, 4, 10, 8, 12, generator=torch.Generator().manual_seed(5))
    steps = [make(noise, num_frames=10, seed=seed) for seed in range(12)]
    run = Background(Red(), frames_per_step=1, every=2)
    values = [run(step).item() for step in steps]
    resumed = Background(Red(), frames_per_step=1, every=2)
    assert [resumed(step).item() for step in steps[5:]] == values[5:]
    assert 0 < sum(value > 0 for value in values) < 12 and len(set(values)) > 3


def test_every_changes_the_cost_but_not_the_expected_value(make):
    noise = torch.rand(1, 4, 3, 8, 12, generator=torch.Generator().manual_seed(5))
    steps = [make(noise, seed=seed) for seed in range(40)]
    always, sometimes = Background(Red(), 3), Background(Red(), 3, every=4)
    values = [sometimes(step) for step in steps]
    for value, step in zip(values, steps, strict=True):
        assert value == 0 or torch.isclose(value, 4 * always(step))
    assert 3 <= sum(value > 0 for value in values) <= 18


def test_large_latents_are_shrunk_and_keep_their_shape(make):
    sizes = []

    def watch(latents):
        sizes.append(tuple(latents.shape[-2:]))
        return decode(latents)

    Background(Red(), latent_size=6)(dataclasses.replace(make(), decode=watch))
    assert set(sizes) == {(4, 6)}
    sizes.clear()
    Background(Red(), latent_size=None)(dataclasses.replace(make(), decode=watch))
    assert set(sizes) == {(8, 12)}


def test_refuses_what_has_no_background(make):
    flat = dataclasses.replace(make(), x0=torch.ones(1, 4, 3, 8, 12))
    with pytest.raises(InputError, match="equally far away everywhere"):
        Background(Red())(flat)
    with pytest.raises(InputError, match=r"finds no background: it is 0\.\d% of the source"):
        Background(Red(), quantile=0.0, softness=1e-4)(make())
    with pytest.raises(InputError, match="does not decode"):
        Background(Red())(dataclasses.replace(make(), decode=None))


@pytest.mark.parametrize(
    "settings",
    [{"frames_per_step": 0}, {"every": 0}, {"latent_size": 0}, {"num_scales": 0}, {"min_alpha_bar": 1.0},
     {"quantile": -0.1}, {"softness": 0.0}, {"gradient_weight": -1.0}],
)  # fmt: skip
def test_refuses_settings_out_of_range(settings):
    (name,) = settings
    with pytest.raises(InputError, match=f"{name} is {settings[name]}"):
        Background(Red(), **settings)
