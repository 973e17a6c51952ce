import pytest
import torch
from torch.nn import functional

from giftune.losses.image_prior import image_prior


@pytest.fixture
def pair():
    return torch.randn(2, 3, 4, 5, 6, 7, generator=torch.Generator().manual_seed(0))


def test_equals_torch(pair):
    torch.testing.assert_close(image_prior(*pair), functional.mse_loss(*pair))
    assert image_prior(pair[0], pair[0]) == 0


def test_the_image_model_gets_no_gradient(pair):
    video, image = (part.clone().requires_grad_() for part in pair)
    image_prior(video, image).backward()
    assert video.grad is not None and image.grad is None
