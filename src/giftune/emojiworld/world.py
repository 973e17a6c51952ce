"""Captioned clips of EmojiWorld with their ground truth."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from giftune.clip import Clip
from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import caption
from giftune.emojiworld.motions import MOTIONS, Pose
from giftune.emojiworld.scene import Scene, render, sample_scene
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES
from giftune.errors import InputError


class WorldClip(NamedTuple):
    """A clip and what is true of it; axes f frames, h w pixels."""

    clip: Clip
    caption: str
    scene: Scene
    depth: Float[Tensor, "f h w"]  # inverse depth, 1 nearest, 0 sky
    mask: Float[Tensor, "f h w"]  # the subject's coverage
    flow: Float[Tensor, "pairs 2 h w"]  # (x, y) in pixels: where each pixel of frame i is in frame i + 1
    centres: Float[Tensor, "f 2"]  # (x, y) of the subject in pixels


def make_clip(
    subject: str = "rabbit",
    background: str = "grass",
    style: str = "plain",
    motion: str = "jump",
    num_frames: int = 8,
    seed: int = 0,
    size: int = 64,
    duration_ms: int = 120,
) -> WorldClip:
    """One random scene of what is asked, moving once through its motion.

    Raises: InputError for an unknown subject, background, style or motion.
    """
    require_known(("subject", subject, SUBJECTS), ("background", background, BACKGROUNDS),
                  ("style", style, STYLES), ("motion", motion, MOTIONS))  # fmt: skip
    if num_frames < 2:
        raise InputError(f"num_frames is {num_frames}; a clip needs at least 2")
    scene = sample_scene(np.random.default_rng(seed), subject, background, style, motion)
    poses = [scene.pose(i / (num_frames - 1)) for i in range(num_frames)]
    return film(scene, poses, motion, size, duration_ms)


def film(scene: Scene, poses: Sequence[Pose], name: str, size: int, duration_ms: int) -> WorldClip:
    """One frame for each pose; `name` is that of what happens, which the clip is called after."""
    renderings = [render(scene, pose, size) for pose in poses]
    clip = Clip(
        frames=torch.from_numpy(np.stack([r.picture for r in renderings])).movedim(-1, 1) * 2 - 1,
        durations_ms=(duration_ms,) * len(poses),
        name=f"{scene.subject}-{name}-{scene.background}-{scene.style}".replace(" ", "-"),
    )
    moves = zip(poses[:-1], poses[1:], renderings[:-1], strict=True)
    flow = [
        subject_flow(scene, before, after, rendering.mask) + camera_flow(before, after, rendering.mask)
        for before, after, rendering in moves
    ]
    return WorldClip(
        clip=clip,
        caption=caption(scene.subject, scene.background, scene.style, scene.motion),
        scene=scene,
        depth=torch.from_numpy(np.stack([r.depth for r in renderings])),
        mask=torch.from_numpy(np.stack([r.mask for r in renderings])),
        flow=torch.from_numpy(np.stack(flow)),
        centres=torch.tensor([scene.centre(pose) for pose in poses]) * size,
    )


def require_known(*named: tuple[str, str, Collection[str]]) -> None:
    """Raises: InputError for the first name that is not among the known ones; each comes as what it names."""
    for argument, name, known in named:
        if name not in known:
            raise InputError(f"{argument} {name!r} is not in EmojiWorld; choose one of {', '.join(known)}")


def subject_flow(
    scene: Scene, before: Pose, after: Pose, mask: Float[np.ndarray, "h w"]
) -> Float[np.ndarray, "2 h w"]:
    """The subject moves as a similarity about its centre; 0 for everything else."""
    size = mask.shape[0]
    grid = np.arange(size) + 0.5
    here = np.stack(np.broadcast_arrays(grid[None, :], grid[:, None]))
    centre = np.array(scene.centre(before))[:, None, None] * size
    goal = np.array(scene.centre(after))[:, None, None] * size
    turn = np.deg2rad(after.angle - before.angle)
    scale = after.scale / before.scale
    # image rows point down, so a counter-clockwise turn by `turn` reads as below
    matrix = scale * np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    there = np.einsum("ij,jhw->ihw", matrix, here - centre) + goal
    return ((there - here) * (mask > 0.5)).astype(np.float32)


def camera_flow(before: Pose, after: Pose, mask: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "2 h w"]:
    """Everything but the subject stands still, and moves against a camera that turns; 0 for the subject."""
    flow = np.zeros((2, *mask.shape), dtype=np.float32)
    flow[0] = (before.camera - after.camera) * mask.shape[1] * (mask <= 0.5)
    return flow
