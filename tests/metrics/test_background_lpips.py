import pytest
import torch
from torchmetrics import Metric

from giftune.metrics.background_lpips import BackgroundLpips


class Distance(Metric):
    """In the place of LPIPS, which knows nothing of masks: mean absolute difference of two pictures."""

    def update(self, first, second):
        assert len(first) == len(second) == 1 and max(first.abs().max(), second.abs().max()) <= 1
        self.last = (first - second).abs().mean()

    def compute(self):
        return self.last


def test_frame_by_frame_with_the_subject_put_back(noise):
    source, edited = noise(3), noise(3)
    mask = torch.zeros(3, 24, 40)
    mask[:, :10] = 1
    expected = (
        sum(float((b - a)[:, 10:].abs().sum()) / a.numel() for a, b in zip(source, edited, strict=True)) / 3
    )
    metric = BackgroundLpips(Distance())
    assert float(metric(source=source, edited=edited, mask=mask)) == pytest.approx(expected, rel=1e-4)
    assert metric.backbone == "LPIPS AlexNet"


def test_the_subject_does_not_count(noise):
    source = noise(3)
    mask = torch.zeros(3, 24, 40)
    mask[:, :10] = 1
    edited = torch.where(mask[:, None] > 0, 1.5 * source, source)
    assert BackgroundLpips(Distance())(source=source, edited=edited, mask=mask) == 0
