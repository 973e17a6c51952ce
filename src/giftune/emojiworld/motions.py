"""The motions of EmojiWorld: where a subject is at a phase of its motion."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Pose(NamedTuple):
    """Displacement from rest in units of the picture's side (up is negative), tilt in degrees, growth.

    `camera` is how far to the right the camera has turned, in the same units.
    """

    dx: float = 0.0
    dy: float = 0.0
    angle: float = 0.0
    scale: float = 1.0
    camera: float = 0.0


def jumping(phase: float, reach: float) -> Pose:
    """Two arcs to and fro would need a turn; one arc with a little drift reads as a jump."""
    return Pose(dx=0.12 * reach * np.sin(2 * np.pi * phase), dy=-0.42 * reach * np.sin(np.pi * phase))


def running(phase: float, reach: float) -> Pose:
    """From one side to the other, with small steps."""
    return Pose(dx=0.62 * reach * (phase - 0.5), dy=-0.04 * abs(np.sin(4 * np.pi * phase)))


def dancing(phase: float, reach: float) -> Pose:
    return Pose(
        dx=0.1 * np.sin(2 * np.pi * phase),
        dy=-0.05 * abs(np.sin(2 * np.pi * phase)),
        angle=22 * reach * np.sin(2 * np.pi * phase),
    )


def flying(phase: float, reach: float) -> Pose:
    """An ellipse in the air."""
    angle = 2 * np.pi * phase
    return Pose(dx=0.24 * reach * np.cos(angle), dy=-reach * (0.24 + 0.12 * np.sin(angle)))


def approaching(phase: float, reach: float) -> Pose:
    """Nearer, so larger and lower."""
    growth = 0.72 + 0.5 * phase * reach
    return Pose(dy=0.1 * (phase - 0.5) * reach, scale=growth)


class Motion(NamedTuple):
    verbs: tuple[str, ...]
    pose: Callable[[float, float], Pose]


MOTIONS: dict[str, Motion] = {
    "jump": Motion(("jumping", "hopping", "leaping"), jumping),
    "run": Motion(("running", "racing", "sliding"), running),
    "dance": Motion(("dancing", "swinging"), dancing),
    "fly": Motion(("flying", "floating"), flying),
    "approach": Motion(("coming closer", "approaching"), approaching),
}
