import pytest
import torch

from giftune.diffusion.prediction import add_noise, target
from giftune.losses.step import DenoisingStep


@pytest.fixture
def make_step():
    def make(prediction_type="epsilon", alpha_bar=(0.9, 0.2), perfect=False, decode=None):
        generator = torch.Generator().manual_seed(3)
        x0, noise, error = torch.randn(3, len(alpha_bar), 2, 4, 3, 5, generator=generator)
        levels = torch.tensor(alpha_bar)
        truth = target(x0, noise, levels, prediction_type)
        return DenoisingStep(
            noisy=add_noise(x0, noise, levels),
            prediction=truth if perfect else truth + error,
            target=truth,
            x0=x0,
            t=torch.arange(len(alpha_bar)),
            alpha_bar=levels,
            prediction_type=prediction_type,
            decode=decode,
        )

    return make
