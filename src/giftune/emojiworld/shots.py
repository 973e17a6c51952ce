"""Shots of EmojiWorld beyond its motions: a subject that rolls, and a camera that pans.

The text encoder that ships knows the verbs of `MOTIONS` alone, so each shot is captioned as one of those.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.motions import Pose, dancing, jumping, running
from giftune.emojiworld.scene import sample_scene
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES
from giftune.emojiworld.world import WorldClip, film, require_known
from giftune.errors import InputError

Track = Callable[[float, float], Pose]
TURN = 40.0  # degrees to both sides; much farther the shipped models do not know a subject any more
SWEEP = 0.4  # of the picture's side, which the camera turns by


def rolling(phase: float, reach: float) -> Pose:
    """A ball of radius 0.24, that of a usual subject, rolls without slipping; upright half-way."""
    angle = TURN * reach * (2 * phase - 1)
    return Pose(dx=0.24 * np.deg2rad(angle), angle=-angle)


def panned(track: Track, way: float) -> Track:
    """The same under a camera that turns to the right for a positive `way`, so that all else goes left."""
    return lambda phase, reach: track(phase, reach)._replace(camera=way * SWEEP * (phase - 0.5))


def ambling(phase: float, reach: float) -> Pose:
    """A short run, which leaves room for what the camera adds."""
    return running(phase, 0.2 * reach)


class Shot(NamedTuple):
    motion: str  # whose verbs say it
    track: Track


SHOTS: dict[str, Shot] = {
    "roll": Shot("run", rolling),
    "pan-jump": Shot("jump", panned(jumping, 1.0)),
    "pan-dance": Shot("dance", panned(dancing, -1.0)),
    "pan-run": Shot("run", panned(ambling, -1.0)),  # with its surroundings, and so faster than they
}


def make_shot(
    shot: str,
    subject: str,
    background: str = "grass",
    style: str = "plain",
    num_frames: int = 8,
    seed: int = 0,
    size: int = 64,
    duration_ms: int = 120,
) -> WorldClip:
    """One random scene of what is asked, in the middle of the picture, seen through one shot.

    Raises: InputError for an unknown shot, subject, background or style.
    """
    require_known(("shot", shot, SHOTS), ("subject", subject, SUBJECTS),
                  ("background", background, BACKGROUNDS), ("style", style, STYLES))  # fmt: skip
    if num_frames < 2:
        raise InputError(f"num_frames is {num_frames}; a clip needs at least 2")
    motion, track = SHOTS[shot]
    scene = replace(
        sample_scene(np.random.default_rng(seed), subject, background, style, motion), x=0.5, tilt=0.0
    )
    reach = min(scene.reach, 1.0)
    poses = [track(i / (num_frames - 1), reach) for i in range(num_frames)]
    return film(scene, poses, shot, size, duration_ms)
