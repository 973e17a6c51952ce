import pytest
import torch

from giftune.metrics.frame_accuracy import FrameAccuracy, frame_accuracy


def test_softmax_prefers_the_target(projector, noise):
    frames = noise(9)
    texts = projector.texts(["a bad cat", "a big cage"])
    logits = 100 * projector.images(frames, "bottom_square") @ texts.T
    expected = sum(float(row.softmax(dim=0)[1]) > 0.5 for row in logits) / 9
    assert 0 < expected < 1
    metric = FrameAccuracy(projector)
    got = metric(edited=frames, source_prompt="a bad cat", prompt="a big cage")
    assert float(got) == pytest.approx(expected)


def test_two_of_three():
    images = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]])
    assert frame_accuracy(images, torch.eye(2)) == pytest.approx(2 / 3)
    assert frame_accuracy(torch.full((2, 2), 0.5), torch.eye(2)) == 0, "a tie is not won"
