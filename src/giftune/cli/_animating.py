"""Reads a picture, draws frames from it, and writes them as a GIF."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from omegaconf import DictConfig

from giftune.cli._method import build_method
from giftune.cli._progress import Bars
from giftune.cli._run import plain
from giftune.clip import Clip
from giftune.data.framing import Framing
from giftune.errors import InputError
from giftune.io.gif import write_gif
from giftune.io.gif_palette import QUALITIES
from giftune.io.read import read_clip
from giftune.methods.motion_schedule import PUBLISHED

EVEN_FRAMES = 8
LATENTS = 4  # the sides of the latents are multiples of this, so that every part of the network fits


def animate(composed: DictConfig) -> None:
    """Raises `InputError` before anything is drawn when a setting cannot be used."""
    settings = plain(composed)
    output, prompt, num_frames = _output(settings), _prompt(settings), _num_frames(settings)
    if settings["quality"] not in QUALITIES:
        raise InputError(f"quality is {settings['quality']!r}, it must be one of {', '.join(QUALITIES)}.")
    if "image_guidance" not in settings["method"]:
        raise InputError("method draws nothing from a picture and a motion: animate needs method=pix2gif.")
    picture = read_clip(settings["image"], num_frames=1)
    settings["method"] |= {name: settings[name] for name in ("weights", "motion", "schedule")}
    if settings["weights"] is None:
        print("note: weights is null, so that the network has not learnt to move anything.")
    method = build_method(settings)
    framing = Framing.around(
        picture, settings["size"], LATENTS * method.backbone.latent_factor, settings["fit"]
    )
    seen = framing.apply(picture)
    still = Clip(
        seen.frames.repeat(num_frames, 1, 1, 1), (settings["duration_ms"],) * num_frames, 0, picture.name
    )
    started = time.perf_counter()
    with Bars() as progress:
        generator = torch.Generator().manual_seed(settings["seed"])
        (drawn,) = method.edit(still, [prompt], generator, progress)
    write_gif(framing.restore(drawn), output, settings["quality"])
    print(f"drew {num_frames} frames in {time.perf_counter() - started:.1f} s")
    print(f"written to {output}")


def _output(settings: Mapping[str, Any]) -> Path:
    image = Path(settings["image"])
    path = Path(settings["output"] or image.resolve().parent / f"{image.stem}.animated.gif")
    if not path.parent.is_dir():
        raise InputError(f"output {path} cannot be written: its folder does not exist.")
    return path


def _prompt(settings: Mapping[str, Any]) -> str:
    if not (prompt := " ".join(str(settings["prompt"]).split())):
        raise InputError("prompt is empty, it must say what shall happen.")
    return prompt


def _num_frames(settings: Mapping[str, Any]) -> int:
    chosen = settings["num_frames"]
    if chosen is None:
        return len(PUBLISHED.get(settings["schedule"], ())) or EVEN_FRAMES
    if not isinstance(chosen, int) or chosen < 1:
        raise InputError(f"num_frames is {chosen!r}, it must be a whole number of at least 1, or null.")
    return chosen
