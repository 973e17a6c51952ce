import pytest
import torch

from giftune.losses.latent_perceptual import LatentPerceptual


def features(latents):
    return [latents, latents[..., ::2] ** 2]


def test_it_is_the_sum_of_mean_squared_differences(generator):
    loss = LatentPerceptual(features)
    warped, source = torch.randn(2, 3, 4, 8, 8, generator=generator)
    expected = [
        sum(
            torch.nn.functional.mse_loss(a[b], c[b])
            for a, c in zip(features(warped), features(source), strict=True)
        )
        for b in range(3)
    ]
    torch.testing.assert_close(loss(warped, source), torch.stack(expected))
    assert not loss(source, source).any()


def test_only_what_was_warped_learns(generator):
    warped, source = (torch.randn(1, 4, 8, 8, generator=generator, requires_grad=True) for _ in range(2))
    LatentPerceptual(features)(warped, source).sum().backward()
    assert source.grad is None and warped.grad.abs().sum() > 0


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(3)
