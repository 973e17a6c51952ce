"""`giftune animate`: a GIF from one picture."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune animate image=PICTURE prompt="..." [motion=N] [weights=FILE] [NAME=VALUE ...]

Make a GIF of one picture, with a network that has learnt motion from many clips. The picture's own size
comes back; the GIF lies beside it.

  image=cat.png prompt="a cat is running"
  motion=8                        pixels, at the size of the model, that the last frame moves by
  weights=runs/NAME/weights.safetensors  what `giftune train method=pix2gif` made (default: the embedded ones)
  schedule=demo                   how motion grows: even, or demo, ablation, evaluation of the authors
  num_frames=8 duration_ms=250    of the GIF
  backbone=sd15 method=pix2gif_published size=256  as the weights were trained
  edit.num_steps=50 edit.guidance=2 method.image_guidance=1.5 seed=1
  output=cat.gif quality=best

example:
  giftune animate image=cat.png prompt="a cat runs" motion=8"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    return run("animate", argv, job)


def job(config: "DictConfig") -> None:
    from giftune.cli._animating import animate

    animate(config)
