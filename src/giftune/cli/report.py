"""`giftune report`: run folders, sweeps and results from elsewhere as one page and tables."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from giftune.cli._run import run

if TYPE_CHECKING:
    from omegaconf import DictConfig

HELP = """usage: giftune report DIR [DIR ...] [NAME=VALUE ...]

Turn what is in these folders, and below, into DIR/report/index.html: one page with all clips playing in step,
the metrics with their intervals, plots and provenance. It needs no server and no network. The table is beside
it as CSV, Markdown and LaTeX. DIR holds run folders, sweeps, benchmarks, or results from elsewhere with a
manifest.json (docs/report.md). Scores come from `giftune tune` and `giftune evaluate`, and are compared here.
Of a benchmark there are more tables: beside published numbers, by type of edit, by clip, against the truth.

  reference=no_tuning         the arm that all others are compared with: full if it is there, else the first
  metrics=[flicker,loop_seam] only these; shown=[...] only chooses what the page shows at first
  embed=false                 pictures as files beside the page, for large clips
  tile=384                    larger clips are shrunk to so many pixels
  output=DIR title=... dir=DIR

examples:
  giftune report runs/ablation
  giftune report runs/ablation ../others-results reference=no_tuning"""


def main(argv: Sequence[str]) -> int:
    if "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    # the folder of a cell may have a = in its name
    folders = [word for word in argv if not word.startswith("-") and ("=" not in word or Path(word).is_dir())]
    settings = [word for word in argv if word not in folders]
    return run("report", settings, partial(job, [Path(folder) for folder in folders]))


def job(folders: list[Path], config: "DictConfig") -> None:
    from giftune.cli._reporting import report

    report(folders, config)
