import torch

from giftune.unet.frame_code import frame_code
from giftune.unet.frame_words import FrameWords


@torch.no_grad()
def test_is_the_product_of_what_is_said_and_when(rng):
    words = torch.randn(2, 5, 12, generator=rng)
    made = FrameWords(12, rank=6)
    found = made(words, 3)
    assert found.shape == (2, 3, 6)
    for clip in range(2):
        for frame in range(3):
            said = made.from_words(sum(words[clip]) / 2)
            expected = said * made.from_frame(2**0.5 * frame_code(3, 32)[frame])
            torch.testing.assert_close(found[clip, frame], expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_what_has_ended_says_nothing(rng):
    words, made = torch.randn(1, 5, 12, generator=rng), FrameWords(12, rank=6)
    longer = torch.cat([words, torch.zeros(1, 4, 12)], dim=1)
    torch.testing.assert_close(made(longer, 3), made(words, 3))


@torch.no_grad()
def test_starts_with_factors_of_unit_variance(rng):
    torch.manual_seed(0)
    made = FrameWords(128, rank=4096)
    assert 0.9 < made.from_words(torch.randn(1, 128, generator=rng)).std() < 1.1
    assert 0.8 < made.from_frame(2**0.5 * frame_code(1, 32)).std() < 1.2
