import pytest
import torch
from torch.nn import functional

from giftune.errors import InputError
from giftune.losses.reconstruction import Reconstruction


def test_equals_torch(make_step):
    step = make_step()
    torch.testing.assert_close(Reconstruction()(step), functional.mse_loss(step.prediction, step.target))


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_min_snr_weighting_clip_by_clip(make_step, prediction_type):
    step = make_step(prediction_type, alpha_bar=(0.99, 0.5, 0.01))
    expected = 0.0
    for b, alpha_bar in enumerate([0.99, 0.5, 0.01]):
        snr = alpha_bar / (1 - alpha_bar)
        weight = min(snr, 5.0) / (snr if prediction_type == "epsilon" else snr + 1)
        expected += weight * functional.mse_loss(step.prediction[b], step.target[b]) / 3
    torch.testing.assert_close(Reconstruction(min_snr_gamma=5.0)(step), expected)


def test_pure_noise_has_a_finite_weight(make_step):
    assert Reconstruction(min_snr_gamma=5.0)(make_step("epsilon", alpha_bar=(0.0,))).isfinite()


def test_an_error_of_epsilon_counts_as_that_of_v_up_to_the_cap(make_step):
    step = make_step("epsilon", alpha_bar=(0.9, 0.4, 0.01))
    expected = 0.0
    for b, alpha_bar in enumerate([0.9, 0.4, 0.01]):
        a, s = alpha_bar**0.5, (1 - alpha_bar) ** 0.5
        true, said = (a * e - s * (step.noisy[b] - s * e) / a for e in (step.target[b], step.prediction[b]))
        error = functional.mse_loss(said, true)
        capped = 5 * functional.mse_loss(step.prediction[b], step.target[b])
        expected += (error if 1 / alpha_bar < 5 else capped) / 3
    torch.testing.assert_close(Reconstruction(v_weighting_cap=5.0)(step), expected)
    v = make_step("v_prediction")
    assert Reconstruction(v_weighting_cap=5.0)(v).equal(Reconstruction()(v))
    assert Reconstruction(v_weighting_cap=5.0)(make_step("epsilon", alpha_bar=(0.0,))).isfinite()


def test_refuses_a_negative_gamma():
    with pytest.raises(InputError, match="min_snr_gamma is -1"):
        Reconstruction(min_snr_gamma=-1.0)


def test_refuses_an_impossible_cap_and_two_weightings():
    with pytest.raises(InputError, match=r"v_weighting_cap is 0\.5"):
        Reconstruction(v_weighting_cap=0.5)
    with pytest.raises(InputError, match="exclude each other"):
        Reconstruction(min_snr_gamma=5.0, v_weighting_cap=5.0)
