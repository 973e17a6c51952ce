from dataclasses import replace

import numpy as np
import pytest

from giftune.emojiworld.motions import MOTIONS, Pose
from giftune.emojiworld.scene import render, sample_scene


def test_what_is_asked_is_kept_and_the_rest_is_drawn() -> None:
    scenes = [sample_scene(np.random.default_rng(i), subject="fox", motion="run") for i in range(20)]
    assert {s.subject for s in scenes} == {"fox"} and {s.motion for s in scenes} == {"run"}
    assert len({s.background for s in scenes}) > 3 and len({s.x for s in scenes}) == 20


@pytest.mark.parametrize("motion", MOTIONS)
def test_the_subject_stays_in_the_picture(motion: str) -> None:
    for seed in range(15):
        scene = sample_scene(np.random.default_rng(seed), motion=motion)
        for phase in np.linspace(0, 1, 5):
            x, y = scene.centre(scene.pose(phase))
            assert 0.05 < x < 0.95 and 0.1 < y < 0.9


def test_mask_depth_and_picture_tell_of_the_same_subject() -> None:
    scene = replace(sample_scene(np.random.default_rng(3), style="plain"), shadow=False)
    here, gone = render(scene, Pose()), render(scene, Pose(dx=5.0))
    assert gone.mask.max() == 0 and here.mask.max() > 0.99
    changed = np.abs(here.picture - gone.picture).max(axis=2) > 0.02
    assert not (changed & (here.mask == 0)).any(), "nothing changes outside the mask"
    assert (here.depth == gone.depth)[here.mask == 0].all()
    assert np.ptp(here.depth[here.mask > 0.99]) < 0.01, "the subject is a card at one depth"


def test_feet_stay_on_the_ground_when_the_subject_grows() -> None:
    scene = sample_scene(np.random.default_rng(0))
    for scale in (0.7, 1.3):
        _, y = scene.centre(Pose(scale=scale))
        assert y + 0.5 * scene.height * scale == pytest.approx(scene.ground)
