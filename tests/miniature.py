"""The main job in miniature: a random checkpoint, a small clip, few steps."""

from pathlib import Path

import torch

from giftune.clip import Clip
from giftune.io.gif import write_gif
from tests.checkpoints import build_sd1

CAPTION = "a cat runs"


def write_clip(path: Path, num_frames: int = 5, height: int = 24, width: int = 40, seed: int = 0) -> Path:
    """Coloured noise with uneven timing, played three times."""
    generator = torch.Generator().manual_seed(seed)
    frames = torch.rand(num_frames, 3, height, width, generator=generator) * 2 - 1
    write_gif(Clip(frames, tuple(30 + 10 * i for i in range(num_frames)), loop=2), path, "best")
    return path


def settings(checkpoint: Path, runs: Path, clip: Path) -> list[str]:
    """Command line of a run that takes a second."""
    return [
        "backbone=local",
        f"backbone.source={checkpoint}",
        "backbone.device=cpu",
        f"paths.runs={runs}",
        f"paths.cache={runs}.cache",
        "loss=[reconstruction,temporal]",
        "metric=[flicker,loop_seam]",
        f"data.path={clip}",
        f"data.prompt={CAPTION}",
        "data.size=32",
        "data.multiple=8",
        "trainer.max_steps=6",
        "trainer.checkpoint_every=2",
        "edit.num_steps=3",
        "edit.batch_size=2",
    ]


def build(folder: Path) -> Path:
    return build_sd1(folder / "checkpoint")
