"""One scene of EmojiWorld: what is in it, and its rendering with exact depth, mask and motion."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from numpy.random import Generator

from giftune.emojiworld.backgrounds import BACKGROUNDS, HORIZON_DEPTH, look_aside, paint_background
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
        """(x, y) of the subject's centre as the camera sees it; feet stay on the ground when it grows."""
        return self.x + pose.dx - pose.camera, self.ground - 0.5 * self.height * pose.scale + pose.dy

    def nearness(self, ground: float, scale: float = 1.0) -> float:
        """Inverse depth of what stands on this scene's `ground` and looks `scale` times as large."""
        share = np.clip((ground - self.horizon) / (1 - self.horizon), 0, 1)
        return min(1.0, HORIZON_DEPTH + (1 - HORIZON_DEPTH) * share * scale)


class Rendering(NamedTuple):
    picture: Float[ndarray, "h w 3"]  # in [0, 1], styled
    depth: Float[ndarray, "h w"]  # inverse depth, 1 nearest
    mask: Float[ndarray, "h w"]  # the subject's coverage


class Renderings(NamedTuple):
    """As `Rendering`, with what is seen of each subject, in the order in which they were given."""

    picture: Float[ndarray, "h w 3"]
    depth: Float[ndarray, "h w"]
    masks: Float[ndarray, "n h w"]  # coverage that nearer subjects leave
    shares: Float[ndarray, "n"]  # of each subject's part in the picture: how much nearer ones leave of it
    shifts: Float[
        ndarray, "n 2"
    ]  # from the middle of that part to that of what is left, fractions of the side


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
    together = render_together(scene, [(scene, pose)], size)
    return Rendering(together.picture, together.depth, together.masks[0])


def render_together(setting: Scene, subjects: Sequence[tuple[Scene, Pose]], size: int = 64) -> Renderings:
    """Any number of subjects where `setting` is: all shadows, then the subjects, the farthest first.

    One camera sees them all, so it is the same in every pose.
    """
    fine = size * SUPERSAMPLING
    picture, depth = paint_background(
        setting.background, fine, setting.horizon, np.random.default_rng(setting.seed)
    )
    if subjects and (camera := subjects[0][1].camera):
        picture, depth = look_aside(picture, camera * fine), look_aside(depth, camera * fine)
    for scene, pose in subjects:
        if scene.shadow:
            shadow_height = scene.ground + min(0.0, pose.dy) * 0.1
            _cast_shadow(picture, scene.centre(pose)[0], shadow_height, scene.height * pose.scale)
    near = [setting.nearness(scene.ground, pose.scale) for scene, pose in subjects]
    covers: dict[int, Float[ndarray, "fh fw 1"]] = {}  # what is still seen of each
    whole: dict[int, Float[ndarray, "fh fw 1"]] = {}
    for i in sorted(range(len(subjects)), key=lambda i: (near[i], subjects[i][0].ground)):
        scene, pose = subjects[i]
        x, y = scene.centre(pose)
        sprite = place(
            scene.subject, fine, x * fine, y * fine, scene.height * pose.scale * fine,
            scene.tilt + pose.angle, scene.mirror,
        )  # fmt: skip
        alpha = sprite[..., 3:]
        picture = picture * (1 - alpha) + sprite[..., :3]
        covers = {j: cover * (1 - alpha) for j, cover in covers.items()} | {i: alpha}
        whole[i] = alpha
    picture = _reduce(picture).clip(0, 1)
    masks = np.zeros((len(subjects), size, size), dtype=np.float32)
    shares, shifts = np.zeros(len(subjects)), np.zeros((len(subjects), 2))
    for i, cover in covers.items():
        masks[i] = _reduce(cover)[..., 0]
        shares[i] = cover.sum() / max(whole[i].sum(), 1e-6)
        if shares[i] > 0:
            shifts[i] = _middle(cover) - _middle(whole[i])
    depth = _reduce(depth[..., None])[..., 0] * (1 - masks.sum(axis=0))
    for inverse_depth, mask in zip(near, masks, strict=True):
        depth = depth + inverse_depth * mask
    style = STYLES[setting.style]
    picture, depth = style(picture.astype(np.float32)), depth.astype(np.float32)
    return Renderings(picture, depth, masks, shares, shifts)


def _cast_shadow(picture: Float[ndarray, "h w 3"], x: float, ground: float, width: float) -> None:
    grid = (np.arange(picture.shape[0], dtype=np.float32) + 0.5) / picture.shape[0]
    ellipse = ((grid[None, :] - x) / (0.38 * width)) ** 2 + ((grid[:, None] - ground) / (0.09 * width)) ** 2
    picture *= 1 - 0.35 * (ellipse < 1)[..., None]


def _middle(cover: Float[ndarray, "fh fw 1"]) -> Float[ndarray, "2"]:
    """(x, y) of the centre of mass, in fractions of the side."""
    grid = (np.arange(len(cover)) + 0.5) / len(cover)
    columns, rows = cover.sum(axis=(0, 2)), cover.sum(axis=(1, 2))
    return np.array([columns @ grid, rows @ grid]) / cover.sum()


def _reduce(array: Float[ndarray, "fh fw c"]) -> Float[ndarray, "h w c"]:
    h, w, c = array.shape
    s = SUPERSAMPLING
    return array.reshape(h // s, s, w // s, s, c).mean(axis=(1, 3))
