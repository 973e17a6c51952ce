import pytest
import torch

from giftune.errors import InputError
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.features import MissingWeights
from giftune.metrics.flicker import BackgroundFlicker, Flicker
from giftune.metrics.loop_seam import LoopSeam
from giftune.metrics.suite import Score, Suite


class Mean(ClipMean):
    higher_is_better, unit, backbone = True, "levels", "a network"

    def update(self, edited):
        self.record(edited.mean())


class Largest(ClipMean):
    higher_is_better = False

    def update(self, edited):
        self.record(edited.amax())


def missing():
    raise MissingWeights("CLIP is not here.")


def test_numbers_come_with_what_it_takes_to_read_them():
    scores, skipped = Suite({"mean": Mean}).score(edited=torch.full((2, 3, 4, 4), 0.5))
    assert scores == [Score("mean", 0.5, "levels", True, "a network")]
    assert not skipped


def test_metrics_that_agree_on_the_first_clip_are_not_merged():
    suite = Suite({"mean": Mean, "largest": Largest})
    for low, high in [(0.5, 0.5), (0.0, 1.0)]:
        scores, _ = suite.score(edited=torch.tensor([low, high]).reshape(2, 1, 1, 1).expand(2, 3, 4, 4))
    assert [score.value for score in scores] == [0.5, 1.0], "and each edit counts alone"


def test_what_cannot_be_measured_is_said_and_nothing_takes_its_place():
    suite = Suite({"clip": missing, "flicker": Flicker, "background_flicker": BackgroundFlicker})
    scores, skipped = suite.score(edited=torch.zeros(2, 3, 4, 4), mask=None, prompt="a cat")
    assert [score.name for score in scores] == ["flicker"]
    assert skipped == {"clip": "CLIP is not here.", "background_flicker": "needs mask."}
    scores, _ = suite.score(edited=torch.zeros(2, 3, 4, 4), mask=torch.zeros(2, 4, 4))
    assert {score.name for score in scores} == {"flicker", "background_flicker"}


def test_bad_input_stops_the_suite():
    with pytest.raises(InputError, match="edited has 1 frame"):
        Suite({"seam": LoopSeam}).score(edited=torch.zeros(1, 3, 4, 4))


def test_or_is_forgiven_and_said():
    suite = Suite({"seam": LoopSeam, "mean": Mean})
    scores, skipped = suite.score(forgiving=True, edited=torch.zeros(1, 3, 4, 4))
    assert [score.name for score in scores] == ["mean"] and "edited has 1 frame" in skipped["seam"]
    scores, skipped = suite.score(forgiving=True, edited=torch.full((2, 3, 4, 4), float("nan")))
    assert not scores and skipped["mean"] == "came out as nan." and "not finite" in skipped["seam"]
