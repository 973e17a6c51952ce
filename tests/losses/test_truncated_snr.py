import pytest
import torch
from torch.nn import functional

from giftune.losses.truncated_snr import TruncatedSnr

LEVELS = (0.99, 0.6, 0.4, 0.01)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_errors_of_x0_clip_by_clip(make_step, prediction_type):
    step = make_step(prediction_type, alpha_bar=LEVELS)
    expected = sum(
        max(level / (1 - level), 1.0) * functional.mse_loss(step.x0_hat[b], step.x0[b]) / 4
        for b, level in enumerate(LEVELS)
    )
    torch.testing.assert_close(TruncatedSnr()(step), expected)


def test_above_a_ratio_of_one_it_is_the_error_of_epsilon(make_step):
    step = make_step("epsilon", alpha_bar=(0.99, 0.6))
    expected = functional.mse_loss(step.prediction, step.target)
    torch.testing.assert_close(TruncatedSnr()(step), expected, rtol=1e-4, atol=1e-6)
    noisy = make_step("epsilon", alpha_bar=(0.1, 0.1))
    expected = 9 * functional.mse_loss(noisy.prediction, noisy.target)
    torch.testing.assert_close(TruncatedSnr()(noisy), expected, rtol=1e-4, atol=1e-6)


def test_a_perfect_prediction_costs_nothing(make_step):
    assert TruncatedSnr()(make_step(perfect=True)) < 1e-8
