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


def test_refuses_a_negative_gamma():
    with pytest.raises(InputError, match="min_snr_gamma is -1"):
        Reconstruction(min_snr_gamma=-1.0)
