import pytest
import torch

from giftune.losses.step import DenoisingStep
from giftune.losses.temporal_deviation import temporal_deviation


@pytest.fixture
def step():
    rng = torch.Generator().manual_seed(0)
    noisy, prediction, target, x0 = torch.randn(4, 2, 3, 5, 4, 4, generator=rng)
    return DenoisingStep(
        noisy, prediction, target, x0, torch.tensor([1, 2]), torch.tensor([0.9, 0.5]), "epsilon"
    )


def test_is_the_variance_of_the_error_over_frames(step):
    error = step.prediction - step.target
    torch.testing.assert_close(temporal_deviation(step), error.var(dim=2, correction=0).mean())


def test_with_the_error_of_the_mean_frame_it_is_the_whole_error(step):
    shared = (step.prediction.mean(2) - step.target.mean(2)).square().mean()
    whole = torch.nn.functional.mse_loss(step.prediction, step.target)
    torch.testing.assert_close(temporal_deviation(step) + shared, whole)
