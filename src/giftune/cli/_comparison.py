"""One more W&B run per sweep: its cells side by side in a table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.cli._build import build
from giftune.cli._tracking import mean_scores


def log_comparison(sweep: Path, loggers: Mapping[str, Any] | None) -> None:
    """With `logger=wandb`, in the group of the cells; the same run again when the sweep goes on later."""
    if "wandb" not in (loggers or {}):
        return
    from giftune.cli import _wandb
    from giftune.training.loggers import finish

    columns, rows = comparison(sweep)
    make = build(loggers, "logger")["wandb"]
    logger = _wandb.begin(make, sweep, name=sweep.name, group=sweep.name, job_type="comparison")
    logger.log_metrics({"comparison": _wandb.table(columns, rows)})
    finish(logger, failed=False)
    _wandb.tidy(sweep)


def comparison(sweep: Path) -> tuple[list[str | int], list[list[Any]]]:
    """A row for each cell: its name, its state, what it chose, and the means of its scores."""
    cells = json.loads((sweep / "sweep.json").read_text())["cells"]
    scores = [mean_scores(sweep / cell["folder"]) for cell in cells]
    choices = list(dict.fromkeys(key for cell in cells for key in cell["choices"]))
    metrics = list(dict.fromkeys(name for found in scores for name in found))
    rows = [
        [
            cell["name"],
            cell["state"],
            *(cell["choices"].get(key) for key in choices),
            *(found.get(name) for name in metrics),
        ]
        for cell, found in zip(cells, scores, strict=True)
    ]
    return ["cell", "state", *choices, *metrics], rows
