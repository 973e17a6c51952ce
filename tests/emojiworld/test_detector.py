import pytest
import torch
from torch.nn import functional as F

from giftune.emojiworld.detector import CELLS, Detector, Maps, load_detector, peaks
from giftune.emojiworld.group import make_group_clip
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.world import make_clip


def maps(*hills: tuple[int, int, float, str]) -> Maps:
    """Logits of -9 with these (row, column, logit, kind) on them."""
    centre = torch.full((1, CELLS, CELLS), -9.0)
    kind, offset = torch.zeros(1, len(SUBJECTS), CELLS, CELLS), torch.zeros(1, 2, CELLS, CELLS)
    for row, column, logit, name in hills:
        centre[0, row, column] = logit
        kind[0, list(SUBJECTS).index(name), row, column] = 5.0
    return Maps(centre, kind, offset)


def test_maps_have_a_cell_for_four_by_four_pixels() -> None:
    made = Detector((4, 8, 8)).eval()(torch.zeros(3, 3, 64, 64))
    assert made.centre.shape == (3, 16, 16) and made.offset.shape == (3, 2, 16, 16)
    assert made.kind.shape == (3, len(SUBJECTS), 16, 16)


def test_a_peak_is_read_as_place_kind_and_score() -> None:
    given = maps((2, 5, 3.0, "fox"))
    given.offset[0, :, 2, 5] = torch.tensor([0.25, -0.4])
    ((one,),) = peaks(given, 0.5)
    assert one.kind == "fox" and one.score == pytest.approx(1 / (1 + 2.718281828**-3))
    assert (one.x, one.y) == (pytest.approx(5.75 / 16), pytest.approx(2.1 / 16))


def test_neighbours_are_one_subject_and_cells_two_apart_are_two() -> None:
    assert [one.kind for one in peaks(maps((4, 4, 3.0, "pig"), (5, 5, 2.0, "dog")), 0.5)[0]] == ["pig"]
    found = peaks(maps((4, 4, 2.0, "pig"), (4, 6, 3.0, "dog"), (9, 9, -1.0, "car")), 0.5)[0]
    assert [one.kind for one in found] == ["dog", "pig"], "the surest first, none below the threshold"


def test_cells_that_are_equal_are_one_subject() -> None:
    assert len(peaks(maps((4, 4, 3.0, "pig"), (4, 5, 3.0, "pig")), 0.5)[0]) == 1


def test_detect_resizes() -> None:
    detector = load_detector()
    frames = F.interpolate(make_clip("fox", num_frames=2).clip.frames, (128, 128), mode="bilinear")
    small = F.interpolate(frames, (64, 64), mode="bicubic", antialias=True)
    assert detector.detect(frames) == detector.detect(small) != [[], []]


def test_the_shipped_weights_count_place_and_name_the_subjects_of_a_clip() -> None:
    detector = load_detector()
    made = make_group_clip("family", ("frog",), "beach", num_frames=8, seed=11)
    found = detector.detect(made.clip.frames)
    right = torch.tensor([len(each) for each in found]) == made.counts
    assert right.float().mean() >= 0.75 and made.counts.unique().tolist() == [2, 3]
    assert {one.kind for each in found for one in each} == {"frog"}
    for f in (0, 7):  # everyone is seen
        places = torch.tensor([[one.x, one.y] for one in found[f]]) * 64
        assert (torch.cdist(made.centres[f], places).amin(dim=1) < 4).all()
    single = make_clip("car", "city", "plain", "fly", num_frames=6, seed=1)
    assert [[one.kind for one in each] for each in detector.detect(single.clip.frames)] == [["car"]] * 6
