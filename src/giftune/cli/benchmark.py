"""`giftune benchmark`: every method on every clip of a data set, in one folder that can be resumed."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from giftune.cli._run import FLAGS
from giftune.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune benchmark [NAME=VALUE ...]

Run every method on every clip of a data set, with all edits of the clip and every seed. Before it begins it
estimates time and disk. The same command again goes on where it stopped; nothing finished is done twice.
Results are in runs/benchmark-DATA: a run folder for each clip and method, and results.jsonl, a line for each
edit. `giftune report runs/benchmark-DATA` makes the tables and a page of it.

  methods=[giftune,sdedit]        any of method= (default: six of them)
  data=davis42 data.path=DAVIS    emojidavis42 (default, needs nothing), davis42, loveu_tgve, folder
  clips=[bear,camel] seeds=[1,2]  these only (default: all clips, seed 33)
  retry=true                      also what failed before
  --dry-run                       the estimate only; estimate=false begins without one
  hydra/launcher=joblib           who runs the cells: basic, joblib, submitit_local, submitit_slurm, ray
  sweep_name=NAME paths.runs=DIR  where the results go
  and every setting of `giftune tune`, for all methods alike

examples:
  giftune benchmark hydra/launcher=joblib hydra.launcher.n_jobs=2
  giftune benchmark data=davis42 data.path=DAVIS backbone=sd14 networks=published download=true"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    from giftune.cli._benchmarking import run_benchmark

    settings = ["dry_run=true" if word == "--dry-run" else word for word in argv]
    if given := {word for word in settings if word.startswith("-")} & FLAGS:
        raise InputError(f"{min(given)} is not for benchmarks: their methods=, clips= and seeds= vary.")
    return run_benchmark(settings, job)


def job(config: "DictConfig") -> None:
    from giftune.cli._together import run_together
    from giftune.cli._tuning import tune_and_edit

    run_together(config, tune_and_edit)
