import torch
from torch.nn import functional as F

from giftune.emojiworld.oracle import CLASSES, Oracle


def test_logits_and_centres_have_one_row_a_frame() -> None:
    logits, centres = Oracle((4, 8, 8)).eval()(torch.zeros(3, 3, 64, 64))
    assert {name: tuple(x.shape) for name, x in logits.items()} == {
        n: (3, len(c)) for n, c in CLASSES.items()
    }
    assert centres.shape == (3, 2)


def test_centre_is_the_mean_position_under_the_attention() -> None:
    oracle = Oracle((4, 8, 8)).eval()
    peak = torch.full((1, 1, 8, 8), -50.0)
    peak[0, 0, 2, 5] = 50.0  # row 2, column 5
    oracle.attention.forward = lambda features: peak  # type: ignore[method-assign]
    _, centres = oracle(torch.randn(1, 3, 64, 64))
    torch.testing.assert_close(centres, torch.tensor([[5.5 / 8, 2.5 / 8]]))


def test_judge_resizes_and_names() -> None:
    oracle = Oracle((4, 8, 8))
    frames = torch.rand(2, 3, 128, 128) * 2 - 1
    verdict = oracle.judge(frames)
    small = F.interpolate(frames, (64, 64), mode="bicubic", antialias=True)
    torch.testing.assert_close(verdict.centres, oracle.judge(small).centres)
    assert set(verdict.subject) <= set(CLASSES["subject"]) and len(verdict.style) == 2
