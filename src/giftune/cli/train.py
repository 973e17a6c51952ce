"""`giftune train`: train a method on many clips."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune train method=NAME [NAME=VALUE ...]

Train the parts that a method adds to a text-to-image model on many captioned clips. The same command again
resumes what was interrupted. `giftune tune method=NAME method.weights=FILE` uses the result.

  method=harivo                   or pix2gif: those that learn from many clips
  corpus=emojiworld               clips that EmojiWorld draws as they are needed, but for its held-out pairs
  corpus=webvid corpus.path=DIR corpus.table=FILE.csv   videos with a table in WebVid's columns
  corpus=tgif corpus.path=DIR     GIFs with TGIF's table of addresses and captions, tgif-v1.0.tsv
  corpus.num_frames=16 corpus.stride=4 corpus.size=256
  training=harivo                 learning rate, batch and the like that suit the method, chosen with it
  backbone=sd15 optimizer.lr=1e-4 seed=1
  trainer.max_steps=2000 trainer.batch_size=4 trainer.workers=4 trainer.average=0.999
  trainer.accumulate=8            batches for each step, where a large one does not fit
  trainer.warmup_steps=500        over which the learning rate rises
  trainer.checkpoint_every=100    how much an interruption can lose
  trainer.preview_every=500       a sample every so many steps; edit.prompts=[...] says of what
  trainer=ddp                     a process for each GPU, or trainer=ddp_cpu trainer.processes=2
  start=FILE                      go on from trained weights; parts of the network that they lack start new
  logger=wandb                    W&B, offline unless logger.wandb.mode=online; or tensorboard, csv
  run_name=NAME paths.runs=DIR    where the results go (default: runs/METHOD-CORPUS-HASH)

  -m method.tokens=none,concat    several trainings, one for each of these values: a sweep
  sweeps=harivo_parts sweep_name=NAME  a sweep from a file; its cells go to runs/SWEEP/CELL

examples:
  giftune train method=harivo trainer.max_steps=2000
  giftune train method=pix2gif corpus=tgif corpus.path=gifs backbone=sd15 trainer=ddp"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    from giftune.cli._multirun import is_sweep, run_sweep

    return run_sweep("train", argv, job) if is_sweep("train", argv) else run("train", argv, job)


def job(config: "DictConfig") -> None:
    from giftune.cli._together import run_together
    from giftune.cli._training import require_training, train_on_clips

    require_training()
    run_together(config, train_on_clips)
