"""`giftune caption`: a prompt sheet for a folder of clips, with captions by BLIP-2."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune caption path=DIR [NAME=VALUE ...]

Write a prompt sheet for the clips in a folder (GIFs, videos, folders of pictures), as data=folder reads it:
for each clip a caption of its middle frame by BLIP-2, which captioned Tune-A-Video's benchmark, and an empty
list of edits for you to fill. Captions and edits that the sheet has already are kept, so an interrupted run
goes on. Look the captions over: a model wrote them, and tuning learns what they say.

  output=prompts.yaml         the sheet (default: prompts.yaml in the folder)
  download=true               fetch the model where it is missing, about 15 GB
  model=DIR                   a folder of weights, or another BLIP-2 of the hub
  frame=first                 which frame: first, middle or last
  overwrite=true              new captions for all clips; edits stay
  device=cuda dtype=bfloat16

example:
  giftune caption path=clips download=true
  giftune tune data=folder data.path=clips data.clip=cat edit.prompts='["a dog is running"]' backbone=sd15"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    return run("caption", argv, job)


def job(config: "DictConfig") -> None:
    from giftune.cli._captioning import caption

    caption(config)
