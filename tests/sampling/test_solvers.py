import pytest
import torch

from giftune.diffusion.schedule import Schedule
from giftune.sampling.solvers import ddim, dpm_solver


@pytest.mark.parametrize("make", [ddim, dpm_solver])
def test_inversion_belongs_to_the_sampler(make, rng):
    """What comes back of latents converges to them, and both report the same number of steps."""
    schedule, solver = Schedule.from_config({"set_alpha_to_one": False, "steps_offset": 1}), make()
    latents, lost, seen = torch.randn(1, 4, 3, 4, 4, generator=rng, dtype=torch.float64), [], []

    def denoise(x, t):
        return 0.5 * torch.sin(x)

    for num_steps in (10, 100):
        noise = solver.invert(denoise, latents, schedule, num_steps, lambda *step: seen.append(step))
        back = solver.sample(denoise, noise, schedule, num_steps, lambda *step: seen.append(step))
        lost.append(float((back - latents).abs().max()))
    assert [step for step, _ in seen] == [*range(1, 11), *range(1, 11), *range(1, 101), *range(1, 101)]
    assert lost[1] < 0.3 * lost[0]


def test_names_tell_them_apart():
    assert [make().name for make in (ddim, dpm_solver)] == ["ddim", "dpm_solver"]
