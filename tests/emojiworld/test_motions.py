import numpy as np
import pytest

from giftune.emojiworld.motions import MOTIONS, Pose

PHASES = np.linspace(0, 1, 41)


def _track(motion: str) -> list[Pose]:
    return [MOTIONS[motion].pose(phase, 1.0) for phase in PHASES]


def test_a_jump_leaves_the_ground_and_lands() -> None:
    heights = [-pose.dy for pose in _track("jump")]
    assert heights[0] == pytest.approx(0, abs=1e-9) and heights[-1] == pytest.approx(0, abs=1e-9)
    assert np.argmax(heights) == 20 and max(heights) > 0.4


def test_a_run_goes_from_left_to_right() -> None:
    assert (np.diff([pose.dx for pose in _track("run")]) > 0).all()


def test_a_dance_tilts_both_ways() -> None:
    angles = [pose.angle for pose in _track("dance")]
    assert min(angles) < -15 and max(angles) > 15


def test_flying_stays_in_the_air_and_closes_its_loop() -> None:
    poses = _track("fly")
    assert max(pose.dy for pose in poses) < -0.05
    assert poses[0] == pytest.approx(poses[-1])


def test_approaching_grows() -> None:
    assert (np.diff([pose.scale for pose in _track("approach")]) > 0).all()


@pytest.mark.parametrize("motion", MOTIONS)
def test_every_motion_has_verbs(motion: str) -> None:
    assert all(verb == verb.strip().lower() and verb for verb in MOTIONS[motion].verbs)
