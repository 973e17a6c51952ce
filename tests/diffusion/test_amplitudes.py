import pytest
import torch

from giftune.diffusion._amplitudes import amplitudes


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_squares_add_up_to_one_in_the_type_of_the_sample(dtype):
    signal, sigma = amplitudes(torch.tensor([0.1, 0.9]), torch.zeros(2, 4, 3, 8, 8, dtype=dtype))
    assert signal.shape == sigma.shape == (2, 1, 1, 1, 1)
    assert signal.dtype == sigma.dtype == dtype
    tolerance = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(signal**2 + sigma**2, torch.ones_like(signal), rtol=0, atol=tolerance)


def test_little_noise_is_not_lost_in_half_precision():
    _, sigma = amplitudes(torch.tensor(0.99999), torch.zeros(1, 1, 1, 1, dtype=torch.bfloat16))
    torch.testing.assert_close(sigma.float(), torch.tensor(1e-5).sqrt(), rtol=1e-2, atol=0)
