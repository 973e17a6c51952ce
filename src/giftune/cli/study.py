"""`giftune study`: two methods side by side for people to judge, and what they answered."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune study DIR [DIR ...] [NAME=VALUE ...]
       giftune study DIR results=[A.json,B.json]

The user study of the Tune-A-Video paper: people see a clip, a prompt and two edits, and say which has the
smoother frames and which matches the text better. The first form makes DIR/study/index.html, one page for
all raters that needs no server and names no method, and the key to it, DIR/study/study.json, which is not for
them. Each rater saves a file of answers. The second form counts these files by majority vote into study.md
and study.csv, as `giftune report DIR` does with those in DIR/study/answers.

  a=giftune b=sdedit          these two arms; a alone is compared with all others (docs/study.md)
  pairs=[[giftune,sdedit],[giftune,no_tuning]]
  limit=40                    so many comparisons, spread over clips; null for all
  seed=33                     which ones, on which side, in which order
  tile=256                    larger clips are shrunk to so many pixels
  output=DIR title=... dir=DIR

examples:
  giftune study runs/benchmark-emojidavis42 a=giftune b=sdedit
  giftune study runs/benchmark-emojidavis42 results=[anna.json,ben.json,chris.json]
  giftune study results=runs/benchmark-emojidavis42/study/answers"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    # the folder of a cell may have a = in its name
    folders = [word for word in argv if not word.startswith("-") and ("=" not in word or Path(word).is_dir())]
    settings = [word for word in argv if word not in folders]
    return run("study", settings, partial(job, [Path(folder) for folder in folders]))


def job(folders: list[Path], config: "DictConfig") -> None:
    from giftune.cli._studying import study

    study(folders, config)
