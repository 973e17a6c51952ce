import numpy as np
import pytest
import torch
from torch.nn import functional as F

from giftune.emojiworld.motions import MOTIONS, Pose
from giftune.emojiworld.scene import render
from giftune.emojiworld.shots import SHOTS, TURN, make_shot, rolling
from giftune.errors import InputError


def test_a_roll_turns_as_far_as_it_comes() -> None:
    before, after = rolling(0.3, 0.9), rolling(0.4, 0.9)
    assert after.dx > before.dx, "it goes to the right ..."
    assert after.angle < before.angle, "... and so turns clockwise"
    assert np.deg2rad(before.angle - after.angle) * 0.24 == pytest.approx(after.dx - before.dx)
    assert rolling(0.0, 1.0).angle == TURN == -rolling(1.0, 1.0).angle and rolling(0.5, 1.0).angle == 0


def test_a_camera_that_turns_moves_everything_the_other_way() -> None:
    made = make_shot("pan-jump", "fox", "city", num_frames=5, seed=3)
    assert (made.flow[:, 0][made.mask[:-1] == 0] < 0).all()
    assert made.centres[-1, 0] - made.centres[0, 0] == pytest.approx(-0.4 * 64)


@pytest.mark.parametrize("shot", SHOTS)
def test_flow_carries_the_whole_picture(shot: str) -> None:
    """Sampling frame i + 1 where the flow of frame i points gives frame i back: subject, and surroundings."""
    made = make_shot(shot, "panda", "city", num_frames=8, seed=1)
    grid = torch.stack(torch.meshgrid(*[torch.arange(64) + 0.5] * 2, indexing="xy"))
    where = ((grid + made.flow) / 32 - 1).movedim(1, -1)
    warped = F.grid_sample(made.clip.frames[1:], where, align_corners=False)
    there = F.grid_sample(made.mask[1:, None], where, align_corners=False)[:, 0]
    seen = (where.abs() < 0.97).all(dim=-1)
    near = F.max_pool2d(made.mask[:-1, None], 5, stride=1, padding=2)[:, 0]
    inside = F.avg_pool2d(made.mask[:-1, None], 5, stride=1, padding=2)[:, 0] > 0.999
    # shadows of the subject move with it, so the surroundings are compared above them
    outside = (near == 0) & (there < 0.01) & (torch.arange(64)[:, None] < 0.55 * 64)
    for part, most in ((inside & seen, 0.12), (outside & seen, 0.006)):
        error = (warped - made.clip.frames[:-1]).abs().mean(dim=1)[part].mean()
        still = (made.clip.frames[1:] - made.clip.frames[:-1]).abs().mean(dim=1)[part].mean()
        assert part.sum() > 2000 and error < most
        assert error < 0.2 * still or (shot == "roll" and still < 1e-5), "behind a roll nothing moves"


@pytest.mark.parametrize("background", ["city", "moon", "snow"])
def test_whole_pixels_of_camera_shift_picture_and_depth_exactly(background: str) -> None:
    scene = make_shot("roll", "bear", background, num_frames=2, seed=4).scene
    here, aside = (render(scene, Pose(dx=9.0, camera=camera)) for camera in (0.0, 0.25))
    for name in ("picture", "depth"):
        np.testing.assert_allclose(getattr(aside, name)[:, :48], getattr(here, name)[:, 16:], atol=1e-6)
        # beyond the side stands the mirror image
        np.testing.assert_allclose(getattr(aside, name)[:, 48:], getattr(here, name)[:, :47:-1], atol=1e-6)


def test_centres_are_those_of_the_masks() -> None:
    y, x = np.mgrid[:64, :64] + 0.5
    for shot in SHOTS:
        made = make_shot(shot, "pig", "snow", num_frames=4, seed=0)
        ink = [((x * m).sum() / m.sum(), (y * m).sum() / m.sum()) for m in made.mask.numpy()]
        assert np.abs(np.array(ink) - made.centres.numpy()).max() < 2.5


def test_captions_say_it_in_the_words_of_the_motions() -> None:
    assert make_shot("roll", "fox", "beach", num_frames=2).caption == "a fox is running on the beach"
    made = make_shot("pan-dance", "fox", "beach", "sunset", num_frames=2, size=32)
    assert made.caption == "a fox is dancing on the beach, sunset style"
    assert made.clip.name == "fox-pan-dance-beach-sunset" and made.clip.frames.shape == (2, 3, 32, 32)
    assert all(shot.motion in MOTIONS for shot in SHOTS.values())


@pytest.mark.parametrize("argument", ["shot", "subject", "background", "style"])
def test_unknown_names_are_refused_with_the_known_ones(argument: str) -> None:
    with pytest.raises(InputError, match=f"{argument} 'nothing'.*choose one of"):
        make_shot(**{"shot": "roll", "subject": "fox", argument: "nothing"})


def test_one_frame_is_no_clip() -> None:
    with pytest.raises(InputError, match="num_frames is 1"):
        make_shot("roll", "fox", num_frames=1)
