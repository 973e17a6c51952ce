import torch

from giftune.diffusion.guidance import guided


def test_scale_walks_along_the_line_between_the_predictions(rng):
    unconditional, conditional = torch.randn(2, 1, 4, 3, 8, 8, generator=rng)
    torch.testing.assert_close(guided(unconditional, conditional, 0.0), unconditional)
    torch.testing.assert_close(guided(unconditional, conditional, 1.0), conditional)
    beyond = 12.5 * conditional - 11.5 * unconditional
    torch.testing.assert_close(guided(unconditional, conditional, 12.5), beyond, rtol=1e-5, atol=1e-5)
