"""Several subjects that pass behind each other: clips with occlusion and their ground truth."""

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.random import Generator
from torch import Tensor

from giftune.clip import Clip
from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import caption
from giftune.emojiworld.scene import Scene, render_together, sample_scene
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES
from giftune.emojiworld.world import require_known, subject_flow
from giftune.errors import InputError

VISIBLE = 0.35  # a subject counts in a frame where at least this share of it is seen; the number is ours
KINDS = {"crossing": 2, "family": 1}  # how many subjects are named; a family is three sizes of one


class GroupClip(NamedTuple):
    """A clip with n subjects and what is true of it; axes f frames, h w pixels.

    The first subject is the one that `caption` names: the grammar of EmojiWorld, and so the text encoder that
    ships, has no words for two.
    """

    clip: Clip
    caption: str
    scenes: tuple[Scene, ...]  # each subject's; they share background, style, horizon and seed
    depth: Float[Tensor, "f h w"]  # inverse depth, 1 nearest, 0 sky
    mask: Float[Tensor, "f h w"]  # coverage of all subjects together
    masks: Float[Tensor, "f n h w"]  # what is seen of each
    shares: Float[Tensor, "f n"]  # how much of each subject is not behind another
    flow: Float[Tensor, "pairs 2 h w"]  # (x, y) in pixels, of what is seen in frame i, to frame i + 1
    centres: Float[Tensor, "f n 2"]  # (x, y) in pixels, of the whole subject even where it is hidden
    seen: Float[Tensor, "f n 2"]  # (x, y) in pixels, moved to the middle of what is seen of it
    counts: Int[Tensor, " f"]  # subjects of which at least `VISIBLE` is seen

    @property
    def subjects(self) -> tuple[str, ...]:
        return tuple(scene.subject for scene in self.scenes)


def crossing(rng: Generator, front: str, back: str, background: str, style: str) -> tuple[Scene, ...]:
    """Two subjects run towards and past each other, `front` before `back`."""
    place = sample_scene(rng, front, background, style, "run")
    way, meet = rng.choice((-1.0, 1.0)), rng.uniform(0.49, 0.51)
    near = _runner(rng, place, front, meet, (0.37, 0.4), (0.92, 0.95), way * rng.uniform(0.86, 0.93))
    far = _runner(rng, place, back, meet, (0.28, 0.31), (0.85, 0.88), -way * rng.uniform(0.86, 0.93))
    return near, far


def family(rng: Generator, subject: str, background: str, style: str) -> tuple[Scene, ...]:
    """A mother, and two cubs that run past her: the smaller one behind her, the other before her."""
    place = sample_scene(rng, subject, background, style, "run")
    way, x = rng.choice((-1.0, 1.0)), rng.uniform(0.48, 0.52)
    mother = _runner(rng, place, subject, x, (0.41, 0.44), (0.86, 0.88), 0.2 * way)
    behind = _runner(rng, place, subject, x, (0.19, 0.21), (0.81, 0.83), -way * rng.uniform(1.1, 1.18))
    before = _runner(rng, place, subject, x, (0.22, 0.24), (0.95, 0.97), way * rng.uniform(1.1, 1.18))
    return mother, behind, before


def make_group_clip(
    kind: str = "crossing",
    subjects: str | Sequence[str] = ("bear", "fox"),
    background: str = "grass",
    style: str = "plain",
    num_frames: int = 8,
    seed: int = 0,
    size: int = 64,
    duration_ms: int = 120,
) -> GroupClip:
    """A random group of that kind: `subjects` are the front and the back one of a crossing, or the family's.

    Raises: InputError for an unknown kind, subject, background or style, and for a wrong number of subjects.
    """
    subjects = (subjects,) if isinstance(subjects, str) else tuple(subjects)
    require_known(("kind", kind, KINDS), *(("subject", subject, SUBJECTS) for subject in subjects),
                  ("background", background, BACKGROUNDS), ("style", style, STYLES))  # fmt: skip
    if len(set(subjects)) != KINDS[kind] or len(subjects) != KINDS[kind]:
        wanted = "one" if KINDS[kind] == 1 else "two that differ"
        raise InputError(f"subjects is {', '.join(subjects)}; a {kind} needs {wanted}")
    if num_frames < 2:
        raise InputError(f"num_frames is {num_frames}; a clip needs at least 2")
    rng = np.random.default_rng(seed)
    if kind == "crossing":
        scenes = crossing(rng, subjects[0], subjects[1], background, style)
    else:
        scenes = family(rng, subjects[0], background, style)
    poses = [[scene.pose(i / (num_frames - 1)) for scene in scenes] for i in range(num_frames)]
    drawn = [render_together(scenes[0], list(zip(scenes, now, strict=True)), size) for now in poses]
    clip = Clip(
        frames=torch.from_numpy(np.stack([r.picture for r in drawn])).movedim(-1, 1) * 2 - 1,
        durations_ms=(duration_ms,) * num_frames,
        name=f"{'-'.join(subjects)}-{kind}-{background}-{style}".replace(" ", "-"),
    )
    flow = [
        sum(subject_flow(*each) for each in zip(scenes, poses[i], poses[i + 1], drawn[i].masks, strict=True))
        for i in range(num_frames - 1)
    ]
    masks = torch.from_numpy(np.stack([r.masks for r in drawn]))
    shares = torch.from_numpy(np.stack([r.shares for r in drawn])).float()
    middles = [[scene.centre(pose) for scene, pose in zip(scenes, now, strict=True)] for now in poses]
    centres = torch.tensor(middles, dtype=torch.float32) * size
    return GroupClip(
        clip=clip,
        caption=caption(subjects[0], background, style, "run"),
        scenes=scenes,
        depth=torch.from_numpy(np.stack([r.depth for r in drawn])),
        mask=masks.sum(dim=1).clamp(max=1),
        masks=masks,
        shares=shares,
        flow=torch.from_numpy(np.stack(flow)),
        centres=centres,
        seen=centres + torch.from_numpy(np.stack([r.shifts for r in drawn])).float() * size,
        counts=(shares >= VISIBLE).sum(dim=1),
    )


def _runner(
    rng: Generator,
    place: Scene,
    subject: str,
    x: float,
    height: tuple[float, float],
    ground: tuple[float, float],
    reach: float,
) -> Scene:
    """Runs to the right for a positive `reach`, and is mirrored then: most sprites with a side look left."""
    return replace(
        place,
        subject=subject,
        x=x,
        height=rng.uniform(*height),
        ground=rng.uniform(*ground),
        reach=float(reach),
        mirror=bool(reach > 0),
        tilt=rng.uniform(-6, 6),
    )
