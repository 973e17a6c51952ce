import pytest
import torch

from giftune.emojiworld.detector import load_detector
from giftune.emojiworld.group import make_group_clip
from giftune.emojiworld.scene import render
from giftune.errors import InputError
from giftune.metrics.subjects_kept import SubjectsKept
from giftune.metrics.suite import Suite


class Finds:
    """So many subjects in each frame."""

    def __init__(self, *numbers):
        self.numbers = numbers

    def detect(self, frames):
        return [["somebody"] * number for number in self.numbers]


def kept(found, counts):
    metric = SubjectsKept(Finds(*found))
    return float(metric(edited=torch.zeros(len(found), 3, 8, 8), counts=torch.tensor(counts)))


def test_mean_share_of_those_who_are_there():
    assert kept([2, 1, 1, 0], [2, 2, 1, 2]) == pytest.approx((1 + 0.5 + 1 + 0) / 4)


def test_too_many_make_up_for_nothing():
    assert kept([4, 1], [2, 2]) == pytest.approx(0.75)


def test_frames_that_show_nobody_do_not_count():
    assert kept([3, 1, 0], [0, 2, 0]) == pytest.approx(0.5)
    with pytest.raises(InputError, match="counts is 0 in every frame"):
        kept([1, 1], [0, 0])


def test_counts_must_be_one_a_frame():
    with pytest.raises(InputError, match=r"counts has shape \(3,\).*must be \(2,\)"):
        kept([1, 1], [1, 1, 1])


def test_where_counts_are_missing_nothing_is_said():
    scores, skipped = Suite({"kept": lambda: SubjectsKept(Finds(1))}).score(edited=torch.zeros(1, 3, 8, 8))
    assert not scores and not skipped


@pytest.mark.parametrize(("kind", "subjects"), [("crossing", ("bear", "fox")), ("family", ("panda",))])
def test_the_detector_finds_them_in_the_source_and_misses_those_who_are_gone(kind, subjects):
    made, metric = make_group_clip(kind, subjects, num_frames=8, seed=4), SubjectsKept(load_detector())
    assert metric(edited=made.clip.frames, counts=made.counts) > 0.95
    scene = made.scenes[0]
    alone = torch.stack([torch.from_numpy(render(scene, scene.pose(f / 7)).picture) for f in range(8)])
    edited = alone.movedim(-1, 1) * 2 - 1
    expected = float((1 / made.counts).mean())
    assert float(metric(edited=edited, counts=made.counts)) == pytest.approx(expected, abs=0.07)
