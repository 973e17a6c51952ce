import torch

from giftune.diffusion.guidance import guided, guided_by_two


def test_scale_walks_along_the_line_between_the_predictions(rng):
    unconditional, conditional = torch.randn(2, 1, 4, 3, 8, 8, generator=rng)
    torch.testing.assert_close(guided(unconditional, conditional, 0.0), unconditional)
    torch.testing.assert_close(guided(unconditional, conditional, 1.0), conditional)
    beyond = 12.5 * conditional - 11.5 * unconditional
    torch.testing.assert_close(guided(unconditional, conditional, 12.5), beyond, rtol=1e-5, atol=1e-5)


def test_two_scales_walk_along_the_image_and_then_along_the_text(rng):
    nothing, image, both = torch.randn(3, 2, 4, 8, 8, generator=rng)
    for scales, expected in (
        ((1.0, 1.0), both),
        ((1.0, 0.0), image),
        ((0.0, 0.0), nothing),
        ((1.8, 7.5), 7.5 * both - 5.7 * image - 0.8 * nothing),
    ):
        found = guided_by_two(nothing, image, both, *scales)
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
