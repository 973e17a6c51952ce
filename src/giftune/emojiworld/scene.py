"""One scene of EmojiWorld: what is in it, and its rendering with exact depth, mask and motion."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from giftune.emojiworld.backgrounds import BACKGROUNDS, HORIZON_DEPTH, paint_background
from giftune.emojiworld.motions import MOTIONS, Pose
from giftune.emojiworld.sprites import SUBJECTS, place
from giftune.emojiworld.styles import STYLES

SUPERSAMPLING = 2


@dataclass(frozen=True)
class Scene:
    """Lengths are fractions of the picture's side; `seed` draws the background's details."""

    subject: str
    background: str
    style: str
    motion: str
    x: float  # of the subject's centre at rest
    height: float  # of the subject
    horizon: float
    ground: float  # where the subject's feet stand
    reach: float  # how far the motion goes
    mirror: bool
    tilt: float  # degrees
    shadow: bool
    seed: int

    def pose(self, phase: float) -> Pose:
        return MOTIONS[self.motion].pose(phase, self.reach)

    def centre(self, pose: Pose) -> tuple[float, float]:
        """(x, y) of the subject's centre; feet stay on the ground when it grows."""
        return self.x + pose.dx, self.ground - 0.5 * self.height * pose.scale + pose.dy


class Rendering(NamedTuple):
    picture: Float[ndarray, "h w 3"]  # in [0, 1], styled
    depth: Float[ndarray, "h w"]  # inverse depth, 1 nearest
    mask: Float[ndarray, "h w"]  # the subject's coverage


def sample_scene(
    rng: Generator,
    subject: str | None = None,
    background: str | None = None,
    style: str | None = None,
    motion: str | None = None,
) -> Scene:
    """A random scene; what is given is kept."""
    motion = motion or str(rng.choice(list(MOTIONS)))
    height, ground = rng.uniform(0.4, 0.56), rng.uniform(0.84, 0.95)
    headroom = (ground - height) / 0.42  # a full jump leaves the top of the picture above this reach
    reach = min(rng.uniform(0.8, 1.2), headroom) if motion in ("jump", "fly") else rng.uniform(0.8, 1.2)
    margin = 0.5 * height + {"run": 0.3, "fly": 0.2, "jump": 0.06, "dance": 0.06}.get(motion, 0.0)
    margin = min(margin, 0.46)
    return Scene(
        subject=subject or str(rng.choice(list(SUBJECTS))),
        background=background or str(rng.choice(list(BACKGROUNDS))),
        style=style or str(rng.choice(list(STYLES))),
        motion=motion,
        x=rng.uniform(margin, 1 - margin),
        height=height,
        horizon=rng.uniform(0.42, 0.6),
        ground=ground,
        reach=reach,
        mirror=bool(rng.integers(2)),
        tilt=rng.uniform(-6, 6),
        shadow=bool(rng.uniform() < 0.85),
        seed=int(rng.integers(2**31)),
    )


def render(scene: Scene, pose: Pose, size: int = 64) -> Rendering:
    """Draw the scene at `size` x `size` pixels, supersampled, then in its style."""
    fine = size * SUPERSAMPLING
    picture, depth = paint_background(
        scene.background, fine, scene.horizon, np.random.default_rng(scene.seed)
    )
    x, y = scene.centre(pose)
    height = scene.height * pose.scale
    if scene.shadow:
        _cast_shadow(picture, x, scene.ground + min(0.0, pose.dy) * 0.1, height)
    sprite = place(
        scene.subject, fine, x * fine, y * fine, height * fine, scene.tilt + pose.angle, scene.mirror
    )
    alpha = sprite[..., 3:]
    picture = _reduce(picture * (1 - alpha) + sprite[..., :3]).clip(0, 1)
    mask = _reduce(alpha)[..., 0]
    nearness = np.clip((scene.ground - scene.horizon) / (1 - scene.horizon), 0, 1)
    subject_depth = HORIZON_DEPTH + (1 - HORIZON_DEPTH) * nearness * pose.scale
    depth = _reduce(depth[..., None])[..., 0] * (1 - mask) + min(1.0, subject_depth) * mask
    return Rendering(STYLES[scene.style](picture.astype(np.float32)), depth.astype(np.float32), mask)


def _cast_shadow(picture: Float[ndarray, "h w 3"], x: float, ground: float, width: float) -> None:
    grid = (np.arange(picture.shape[0], dtype=np.float32) + 0.5) / picture.shape[0]
    ellipse = ((grid[None, :] - x) / (0.38 * width)) ** 2 + ((grid[:, None] - ground) / (0.09 * width)) ** 2
    picture *= 1 - 0.35 * (ellipse < 1)[..., None]


def _reduce(array: Float[ndarray, "fh fw c"]) -> Float[ndarray, "h w c"]:
    h, w, c = array.shape
    s = SUPERSAMPLING
    return array.reshape(h // s, s, w // s, s, c).mean(axis=(1, 3))
