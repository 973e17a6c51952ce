import numpy as np
import pytest
import torch

from giftune.emojiworld.motion_oracle import STILL, growth_of, motion_of, shown_motion
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.oracle import load_oracle
from giftune.emojiworld.world import make_clip

SCENES = [("rabbit", "moon", "plain"), ("car", "city", "sketch"), ("penguin", "snow", "pixel art")]


@pytest.fixture(scope="module")
def oracle():
    return load_oracle()


def true_path(world):
    poses = [world.scene.pose(index / (len(world.clip) - 1)) for index in range(len(world.clip))]
    scale = torch.tensor([pose.scale for pose in poses], dtype=torch.float32)
    return world.centres / world.clip.width, scale / scale[0]


@pytest.mark.parametrize("num_frames", [6, 12])
@pytest.mark.parametrize("motion", MOTIONS)
def test_the_worlds_own_paths_are_told_apart(motion, num_frames):
    for seed in range(4):
        centres, growth = true_path(make_clip(motion=motion, num_frames=num_frames, seed=seed))
        assert motion_of(centres, growth) == motion
        mirrored = torch.stack([1 - centres[:, 0], centres[:, 1]], dim=1)
        assert motion_of(mirrored, growth) == motion
        shaking = 0.015 * torch.from_numpy(np.random.default_rng(seed).standard_normal((num_frames, 2)))
        assert motion_of(centres + shaking, growth) == motion


@pytest.mark.parametrize("motion", MOTIONS)
def test_true_clips_show_their_motion(motion, oracle):
    for seed, scene in enumerate(SCENES):
        frames = make_clip(*scene, motion, seed=70 + seed).clip.frames
        assert shown_motion(frames, oracle) == motion
        assert shown_motion(frames[:1].expand(8, -1, -1, -1), oracle) == STILL
        assert shown_motion(frames.flip(-1), oracle) == motion


def test_growth_is_that_of_the_subject():
    for seed, scene in enumerate(SCENES):
        world = make_clip(*scene, "approach", seed=40 + seed)
        centres, growth = true_path(world)
        assert growth_of(world.clip.frames, centres) == pytest.approx(growth, abs=0.3)
        back = growth_of(world.clip.frames.flip(0), centres.flip(0))
        assert back == pytest.approx((growth / growth[-1]).flip(0), abs=0.3)
        world = make_clip(*scene, "jump", seed=seed)
        assert growth_of(world.clip.frames, true_path(world)[0]) == pytest.approx(torch.ones(8), abs=0.3)
