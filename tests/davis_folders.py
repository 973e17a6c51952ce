"""Small folders in DAVIS's layout, written with Pillow alone."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 40


def write_davis(root: Path, name: str, num_frames: int = 6, masks: bool = True) -> np.ndarray:
    """A light box, labelled 2, moves two pixels a frame to the right; returns where it is, "f h w"."""
    frames, annotations = (root / kind / "480p" / name for kind in ("JPEGImages", "Annotations"))
    frames.mkdir(parents=True)
    annotations.parent.mkdir(parents=True, exist_ok=True)
    boxes = np.zeros((num_frames, HEIGHT, WIDTH), dtype=bool)
    for index in range(num_frames):
        boxes[index, 8:16, 4 + 2 * index : 16 + 2 * index] = True
        picture = np.where(boxes[index][..., None], 220, 40).astype(np.uint8).repeat(3, axis=2)
        Image.fromarray(picture).save(frames / f"{index:05d}.jpg", quality=95)
        if masks:
            annotations.mkdir(exist_ok=True)
            mask = Image.fromarray(boxes[index].astype(np.uint8) * 2).convert("P")
            mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
            mask.save(annotations / f"{index:05d}.png")
    return boxes


def write_prompts(path: Path, *names: str) -> Path:
    """A sheet in which each clip has an object and a style edit."""
    clips = "".join(
        f"  {name}:\n    caption: a {name} is moving\n    edits:\n"
        f"      - {{type: object, prompt: a fox like a {name}}}\n"
        f'      - {{type: style, prompt: "a {name} is moving, sketch"}}\n'
        for name in names
    )
    path.write_text(f"clips:\n{clips}")
    return path
