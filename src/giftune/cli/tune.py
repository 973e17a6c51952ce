"""`giftune tune`: tune on one clip, then edit it with every prompt."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import plain, run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune tune [NAME=VALUE ...]

Tune a text-to-image model on one clip, then draw the clip with every prompt. Without settings the embedded
model edits an embedded clip. The same command again resumes what was interrupted and draws what is missing.

  data.path=cat.gif               the clip: a GIF, a video, or a folder of pictures
  data.prompt="a cat is running"  what it shows
  edit.prompts='["a dog is running", "a cat is running, pixel art"]'
  edit.prompts_file=prompts.txt   the same from a file, one per line
  backbone=sd15                   emojiworld, sd15, sd14, sd21, modi, ghibli, or local and backbone.source=
  method=tune_a_video             the method; also pattern=, temporal=, norm=, inversion=, loss=[...]
  trainer.max_steps=300 optimizer.lr=5e-5 seed=1 edit.guidance=7.5 edit.num_steps=30
  data.num_frames=16 data.start=4 data.stride=2 data.size=256 data.fit=crop
  sampler=dpm_solver              edits in 20 steps; method=giftune_lora: fewer learnt values
  method=giftune_distilled        a tuned run in few steps; method=giftune_harivo: with the parts of HARIVO
  method=harivo method.weights=emojiworld  GIFs of a text, as long as the clip
  method.window.frames=32         long clips in the memory of so many frames
  method.compile=true             torch.compile
  trainer.preview_every=50        an edit every so many steps, in few steps
  metric=[flicker,warp_error]     only these scores of the edits; metric=[] for none
  networks=published download=true  the scores' networks; fetch their weights where they are missing
  logger=wandb                    W&B, offline unless logger.wandb.mode=online; or tensorboard, csv
  trainer=ddp                     a process for each GPU, or trainer=ddp_cpu trainer.processes=2
  --dry-run                       only say what it will take here: time, memory, disk, from a few steps
  run_name=NAME paths.runs=DIR    where the results go (default: runs/CLIP-HASH)

  -m ablation=full,no_inversion   several runs, one for each of these values: a sweep
  sweeps=ablation sweep_name=NAME a sweep from a file; its cells go to runs/SWEEP/CELL
  hydra/launcher=joblib           who runs the cells: basic, joblib, submitit_local, submitit_slurm, ray

examples:
  giftune tune
  giftune tune data.path=cat.gif data.prompt="a cat is running" edit.prompts='["a dog is running"]' \\
               backbone=sd15
  giftune tune trainer.max_steps=20 --cfg job    (show the configuration only)"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    from giftune.cli._multirun import is_sweep, run_sweep

    settings = with_reader("dry_run=true" if word == "--dry-run" else word for word in argv)
    return run_sweep("tune", settings, job) if is_sweep("tune", settings) else run("tune", settings, job)


def with_reader(settings: Iterable[str]) -> list[str]:
    """`data.path` alone is enough to say that the clip is a file."""
    settings = list(settings)
    names = {setting.partition("=")[0] for setting in settings}
    return ["data=gif", *settings] if "data.path" in names and "data" not in names else settings


def job(config: "DictConfig") -> None:
    from giftune.cli._together import run_together
    from giftune.cli._tuning import tune_and_edit

    if config.dry_run:
        from giftune.cli._estimate import estimate
        from giftune.cli._estimate_shown import show_estimate

        return show_estimate(estimate(plain(config)))
    return run_together(config, tune_and_edit)
