import pytest
import torch

from giftune.errors import InputError
from giftune.metrics.features import load_clip
from giftune.metrics.frame_consistency import DEFINITIONS, FrameConsistency


def naive(vectors, pairs, floor=-1.0):
    n, total, count = len(vectors), 0.0, 0
    for i in range(n):
        for j in range(n):
            if (pairs == "all" and i != j) or (pairs == "adjacent" and j == i + 1):
                total, count = total + max(floor, float(vectors[i] @ vectors[j])), count + 1
    return total / count


@pytest.mark.parametrize(
    ("definition", "features", "view", "pairs", "scale", "floor"),
    [
        ("tune_a_video", "images", "square", "all", 100, -1),
        ("fatezero", "images", "bottom_square", "adjacent", 1, -1),
        ("v2vbench", "pooled", "centre_crop", "adjacent", 1, 0),
        ("videograin", "images", "centre_crop", "adjacent", 100, -1),
        ("videocof", "images", "centre_crop", "adjacent", 1, -1),
    ],
)
def test_five_definitions_pair_by_pair(projector, noise, definition, features, view, pairs, scale, floor):
    frames = noise(5)
    expected = scale * naive(getattr(projector, features)(frames, view), pairs, floor)
    assert float(FrameConsistency(projector, definition)(edited=frames)) == pytest.approx(expected, abs=1e-4)


def test_the_floor_is_used(projector, noise):
    opposed = noise(1).repeat(4, 1, 1, 1) * torch.tensor([1.0, -1, 1, -1]).reshape(4, 1, 1, 1)
    assert float(FrameConsistency(projector, "v2vbench")(edited=opposed)) == 0
    assert float(FrameConsistency(projector, "videocof")(edited=opposed)) == pytest.approx(-1, abs=1e-5)


@pytest.mark.parametrize("definition", DEFINITIONS)
def test_a_static_clip_is_perfect(clip_folder, noise, definition):
    still = noise(1).repeat(4, 1, 1, 1)
    metric = FrameConsistency(load_clip(str(clip_folder)), definition)
    assert float(metric(edited=still)) == pytest.approx(DEFINITIONS[definition].scale, rel=1e-5)
    assert metric.higher_is_better and metric.backbone == f"CLIP {clip_folder.name}"


def test_bad_input_is_named(projector, noise):
    metric = FrameConsistency(projector)
    with pytest.raises(InputError, match="edited has 1 frame, this metric compares frames"):
        metric(edited=noise(1))
    with pytest.raises(InputError, match=r"edited has shape \(3, 1, 8, 8\).*repeat the channel three times"):
        metric(edited=torch.zeros(3, 1, 8, 8))
    with pytest.raises(InputError, match="edited has shape"):
        metric(edited=torch.zeros(3, 8, 8))
    with pytest.raises(InputError, match="not finite"):
        metric(edited=noise(3) / 0)
    with pytest.raises(InputError, match="definition is 'clip'"):
        FrameConsistency(projector, "clip")
