import pytest
import torch

from giftune.metrics.motion_fidelity import MotionFidelity, end_point_error


class Brightness:
    """A flow that depends on the frames alone: x from red, y from green."""

    name = "brightness"

    def forward(self, frames):
        return frames[:-1, :2]


def test_pixel_by_pixel(generator):
    flow, truth = torch.randn(2, 2, 2, 4, 5, generator=generator)
    expected = 0.0
    for n in range(2):
        for y in range(4):
            for x in range(5):
                dx, dy = (flow - truth)[n, :, y, x].tolist()
                expected += (dx**2 + dy**2) ** 0.5 / 40
    assert float(end_point_error(flow, truth)) == pytest.approx(expected, rel=1e-5)


def test_the_same_motion_is_perfect_and_a_known_difference_is_measured(noise, monkeypatch):
    source = noise(3)
    metric = MotionFidelity.__new__(MotionFidelity)
    super(MotionFidelity, metric).__init__()
    metric.flow_network = Brightness()
    assert metric(source=source, edited=source.clone()) == 0
    shifted = source + torch.tensor([3.0, 4.0, 9.0]).reshape(3, 1, 1)
    assert float(metric(source=source, edited=shifted)) == pytest.approx(5, rel=1e-4)
