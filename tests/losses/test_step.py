import dataclasses

import pytest
import torch


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_a_perfect_prediction_implies_the_clean_latents(make_step, prediction_type):
    step = make_step(prediction_type, perfect=True)
    torch.testing.assert_close(step.x0_hat, step.x0, atol=1e-5, rtol=1e-5)


def test_x0_hat_by_hand(make_step):
    step = make_step("epsilon")
    for b, alpha_bar in enumerate([0.9, 0.2]):
        by_hand = (step.noisy[b] - (1 - alpha_bar) ** 0.5 * step.prediction[b]) / alpha_bar**0.5
        torch.testing.assert_close(step.x0_hat[b], by_hand)


def test_a_loss_cannot_change_what_the_next_one_reads(make_step):
    with pytest.raises(dataclasses.FrozenInstanceError):
        make_step().x0 = None
