"""Rendered scenes with none to three subjects, some behind others: the training set of the detector."""

from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from numpy.random import Generator

from giftune.emojiworld.group import crossing, family
from giftune.emojiworld.motions import Pose
from giftune.emojiworld.scene import Scene, render_together, sample_scene
from giftune.emojiworld.sprites import SUBJECTS

CHUNK = 500  # as in `scenes`
MOST = 3
COUNTS = (0.06, 0.27, 0.34, 0.33)  # how many pictures have that many subjects
ARRANGED = (
    0.45  # share of those with one that are usual clips' frames, with two crossings, with three families
)


class Crowds(NamedTuple):
    pictures: UInt8[ndarray, "n h w 3"]
    kinds: Int[ndarray, "n most"]  # index of each subject, -1 where there is none
    centres: Float[ndarray, "n most 2"]  # (x, y) in fractions of the side, of what is seen of each
    nearness: Float[ndarray, "n most"]  # inverse depth
    shares: Float[ndarray, "n most"]  # how much of each is not behind another


def load_crowds(count: int, seed: int, size: int, cache: Path, workers: int = 2) -> Crowds:
    """`count` random pictures, rendered once and kept in `cache`.

    Raises: ValueError when `count` is not a multiple of `CHUNK`.
    """
    if count % CHUNK:
        raise ValueError(f"count {count} must be a multiple of {CHUNK}")
    file = cache / f"crowds-{count}-{seed}-{size}.npz"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        jobs = [(chunk, size) for chunk in range(seed, seed + count // CHUNK)]
        with Pool(workers) as pool:
            parts = zip(*pool.starmap(_render_chunk, jobs), strict=True)
        made = Crowds(*(np.concatenate(part) for part in parts))
        np.savez(
            file, pictures=made.pictures, kinds=made.kinds, centres=made.centres,
            nearness=made.nearness, shares=made.shares,
        )  # fmt: skip
    with np.load(file) as stored:
        return Crowds(**{name: stored[name] for name in Crowds._fields})


def sample_crowd(rng: Generator) -> tuple[Scene, list[tuple[Scene, Pose]]]:
    """Where, and who in which pose; half of the free ones are all of one kind."""
    setting = sample_scene(rng)
    count, phase = int(rng.choice(MOST + 1, p=COUNTS)), rng.uniform()
    look = setting.background, setting.style
    if count and rng.uniform() < ARRANGED:
        one, other = (str(name) for name in rng.choice(list(SUBJECTS), 2, replace=False))
        scenes = {1: lambda: (setting,), 2: lambda: crossing(rng, one, other, *look),
                  3: lambda: family(rng, one, *look)}[count]()  # fmt: skip
        return scenes[0], [(scene, scene.pose(phase)) for scene in scenes]
    alike = rng.uniform() < 0.5
    kinds = [setting.subject if alike else str(rng.choice(list(SUBJECTS))) for _ in range(count)]
    return setting, [_anywhere(rng, setting, kind, 0.56 if count == 1 else 0.42) for kind in kinds]


def _anywhere(rng: Generator, setting: Scene, subject: str, tallest: float) -> tuple[Scene, Pose]:
    """Wholly in the picture, some of them in the air."""
    height = rng.uniform(0.18, tallest)
    ground = rng.uniform(max(setting.horizon + 0.12, height + 0.02), 0.97)
    scene = replace(
        setting,
        subject=subject,
        height=height,
        ground=ground,
        x=rng.uniform(0.48 * height, 1 - 0.48 * height),
        mirror=bool(rng.integers(2)),
        tilt=rng.uniform(-6, 6),
    )
    up = rng.uniform(0, ground - height) if rng.uniform() < 0.3 else 0.0
    return scene, Pose(dy=-up, angle=rng.uniform(-15, 15))


def _render_chunk(seed: int, size: int) -> Crowds:
    rng = np.random.default_rng(seed)
    pictures, rows = [], []
    for _ in range(CHUNK):
        setting, subjects = sample_crowd(rng)
        drawn = render_together(setting, subjects, size)
        pictures.append((drawn.picture * 255).round().astype(np.uint8))
        row = np.full((MOST, 5), (-1.0, 0.0, 0.0, 0.0, 0.0), dtype=np.float32)
        for i, (scene, pose) in enumerate(subjects):
            near = setting.nearness(scene.ground, pose.scale)
            seen = scene.centre(pose) + drawn.shifts[i]  # two centres behind each other would be one peak
            row[i] = (list(SUBJECTS).index(scene.subject), *seen, near, drawn.shares[i])
        rows.append(row)
    kinds, x, y, nearness, shares = np.moveaxis(np.stack(rows), -1, 0)
    return Crowds(np.stack(pictures), kinds.astype(np.int64), np.stack([x, y], -1), nearness, shares)
