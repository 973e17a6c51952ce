"""`giftune evaluate`: score an edit, by whatever method, against its source and its prompt."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune evaluate edited=EDIT [source=CLIP] [prompt=...] [source_prompt=...] [NAME=VALUE ...]

Score an edited clip: a GIF, a video, or a folder of pictures, made by giftune or not. The scores are printed
and written as JSON beside the edit. What cannot be measured is named, with the reason.

  edited=dog.gif source=cat.gif prompt="a dog is running" source_prompt="a cat is running"
  mask=mask.png               white where the subject of the source is: for scores of the background
  frames=spread               when the source is longer: compare with frames spread over it, or the first
  fit=stretch                 when the sizes differ: fit the source to the edit; also crop and pad
  download=true               fetch published weights that are not here yet
  networks=emojiworld         the small CLIP and depth networks of the embedded toy world, for its own clips
  networks.clip.source=DIR    another CLIP: a folder, or a name of open_clip; also clip_small, depth, flow
  metric=[flicker,loop_seam]  only these scores
  output=scores.json device=cpu

example:
  giftune evaluate edited=dog.gif source=cat.gif prompt="a dog is running" \\
                   source_prompt="a cat is running\""""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    return run("evaluate", argv, job)


def job(config: "DictConfig") -> None:
    from giftune.cli._evaluating import evaluate

    evaluate(config)
