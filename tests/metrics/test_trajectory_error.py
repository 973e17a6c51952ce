from types import SimpleNamespace

import pytest
import torch

from giftune.emojiworld.oracle import load_oracle
from giftune.emojiworld.world import make_clip
from giftune.metrics.trajectory_error import TrajectoryError


class At:
    """Finds the subject in the same place of every frame."""

    def __init__(self, x, y):
        self.place = torch.tensor([x, y])

    def judge(self, frames):
        centres = self.place.repeat(len(frames), 1)
        return SimpleNamespace(subject=[], background=[], style=[], centres=centres)


def test_in_pixels_of_an_oblong_frame():
    centres = torch.tensor([[20.0, 15.0], [23.0, 11.0]])
    metric = TrajectoryError(At(0.5, 0.5))
    assert float(metric(edited=torch.zeros(2, 3, 30, 40), centres=centres)) == pytest.approx(2.5)


def test_the_oracle_follows_a_rendered_subject():
    world, metric = make_clip("panda", "grass", motion="run", num_frames=6), TrajectoryError(load_oracle())
    assert metric(edited=world.clip.frames, centres=world.centres) < 3
    assert metric(edited=world.clip.frames.flip(0), centres=world.centres) > 10
