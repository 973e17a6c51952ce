"""`giftune edit`: more edits with the weights of a run, without tuning again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune edit run=DIR prompts='["...", ...]' [NAME=VALUE ...]

Draw more edits of a tuned clip. Everything else is as in the run, except for what is given here.

  run=runs/cat-1a2b3c4d           the run folder that `giftune tune` made
  prompts='["a dog is running"]'
  prompts_file=prompts.txt        the same from a file, one per line
  guidance=7.5 num_steps=30 batch_size=2 quality=best seed=1
  sampler=dpm_solver              in 20 steps, inversion included
  score=false                     draw only; otherwise edits are scored as the run says
  source=/new/place/cat.gif       the clip, if it has moved since

example:
  giftune edit run=runs/cat-1a2b3c4d prompts='["a fox is running", "a cat is running on the beach"]'"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    return run("edit", argv, job)


def job(config: "DictConfig") -> None:
    from giftune.cli._editing import edit_run

    edit_run(config)
