import pytest
import torch

from giftune.methods import kept_magnitudes
from giftune.methods.kept_magnitudes import KeptMagnitudes
from giftune.metrics.motion_magnitude import motion_magnitude


@pytest.fixture
def clips():
    generator = torch.Generator().manual_seed(0)
    return [torch.rand(4, 3, 32, 32, generator=generator) for _ in range(3)]


@pytest.fixture
def measured(monkeypatch):
    """Which pairs were measured, call by call."""
    calls, real = [], kept_magnitudes.motion_magnitudes

    def counted(frames, pairs, **settings):
        calls.append(list(pairs))
        return real(frames, pairs, **settings)

    monkeypatch.setattr(kept_magnitudes, "motion_magnitudes", counted)
    return calls


@pytest.mark.parametrize("checked", [False, True])
def test_magnitudes_are_those_of_each_pair_alone(clips, checked):
    keep, pairs = KeptMagnitudes(checked), [(0, 1), (2, 3), (3, 0)]
    for _ in range(2):
        for clip in clips:
            alone = [motion_magnitude(clip[a], clip[b], checked=checked) for a, b in pairs]
            assert keep(clip, pairs) == pytest.approx(alone, abs=1e-4)


def test_nothing_is_measured_twice(clips, measured):
    keep = KeptMagnitudes(checked=False)
    first = keep(clips[0], [(0, 1), (1, 2)])
    assert keep(clips[0].clone(), [(1, 2), (0, 1)]) == first[::-1]
    keep(clips[0], [(0, 1), (2, 3)])
    assert measured == [[(0, 1), (1, 2)], [(2, 3)]]


def test_the_clip_that_was_not_seen_for_longest_is_forgotten(clips, measured):
    keep = KeptMagnitudes(checked=False, most=2)
    for number in (0, 1, 0, 2, 0, 1):
        keep(clips[number], [(0, 1)])
    assert len(measured) == 4  # 0, 1, 2, and 1 again
