"""Rendered scenes with their labels: the training set of every embedded model."""

from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int, UInt8
from numpy import ndarray

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.scene import Scene, render, sample_scene
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES

CHUNK = 500  # scenes that share one random generator, so that workers and their number do not matter
LABELS = {"subject": list(SUBJECTS), "background": list(BACKGROUNDS), "style": list(STYLES)}


@dataclass(frozen=True)
class Scenes:
    pictures: UInt8[ndarray, "n h w 3"]
    labels: list[dict[str, str]]  # subject, background, style and motion of each picture
    centres: Float[ndarray, "n 2"]  # (x, y) of the subject, in fractions of the side

    def classes(self, attribute: str) -> Int[ndarray, "n"]:
        return np.array([LABELS[attribute].index(label[attribute]) for label in self.labels])


def load_scenes(count: int, seed: int, size: int, cache: Path, workers: int = 2) -> Scenes:
    """`count` random frames of random clips, rendered once and kept in `cache`.

    Raises: ValueError when `count` is not a multiple of `CHUNK`.
    """
    if count % CHUNK:
        raise ValueError(f"count {count} must be a multiple of {CHUNK}")
    seeds = range(seed, seed + count // CHUNK)
    file = cache / f"scenes-{count}-{seed}-{size}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with Pool(workers) as pool:
            np.save(file, np.concatenate(pool.starmap(_render_chunk, [(chunk, size) for chunk in seeds])))
    drawn = [drawing for chunk in seeds for drawing in _draw_chunk(chunk)]
    labels = [
        {name: getattr(scene, name) for name in ("subject", "background", "style", "motion")}
        for scene, _ in drawn
    ]
    centres = np.array([scene.centre(scene.pose(phase)) for scene, phase in drawn], dtype=np.float32)
    return Scenes(np.load(file), labels, centres)


def _draw_chunk(seed: int) -> list[tuple[Scene, float]]:
    rng = np.random.default_rng(seed)
    return [(sample_scene(rng), rng.uniform()) for _ in range(CHUNK)]


def _render_chunk(seed: int, size: int) -> UInt8[ndarray, "n h w 3"]:
    pictures = [render(scene, scene.pose(phase), size).picture for scene, phase in _draw_chunk(seed)]
    return (np.stack(pictures) * 255).round().astype(np.uint8)
