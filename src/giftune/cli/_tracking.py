"""The loggers of one run: started when there is work, told about clips and scores, and always ended."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from giftune.cli._build import build
from giftune.cli.run_folder import RunFolder
from giftune.cli.scrub import scrub
from giftune.methods.base import EditTask


class Tracking:
    """Raises `InputError` for loggers that cannot be, before anything is written."""

    def __init__(self, config: Mapping[str, Any], folder: RunFolder) -> None:
        self._config, self._folder = config, folder
        self._makers = build(config.get("logger") or {}, "logger")
        self._loggers: list[Any] = []
        if "wandb" in self._makers:
            from giftune.cli import _wandb

            _wandb.require(config["logger"]["wandb"])

    def __enter__(self) -> "Tracking":
        return self

    def start(self) -> Sequence[Any]:
        """Lightning loggers that write into the run folder; the same ones when asked again."""
        if not self._loggers:
            for name, make in self._makers.items():
                if name == "wandb":
                    from giftune.cli import _wandb

                    self._loggers.append(_wandb.start(make, self._folder.path))
                else:
                    self._loggers.append(make(save_dir=str(self._folder.path)))
            for logger in self._loggers:
                logger.log_hyperparams(scrub(self._config))
        return self._loggers

    def show(self, key: str, path: Path, caption: str, step: int) -> None:
        """A GIF, to those that can show one."""
        if self._makers:
            from giftune.training.loggers import log_gif

            for logger in self.start():
                log_gif(logger, key, path, caption, step)

    def replay(self) -> None:
        """The scalars of a log that was not written under these loggers."""
        if self._makers:
            from giftune.training.callbacks import scalars

            for line in _lines(self._folder.log):
                for logger in self.start():
                    logger.log_metrics(scalars(line), step=line["step"])

    def results(self, task: EditTask, step: int) -> None:
        """The source and every edit, each with its scores, and their means."""
        if not self._makers:
            return
        self.show("source", self._folder.path / "source.gif", task.source_prompt, step)
        records = {record["file"]: record["scores"] for record in _lines(self._folder.records)}
        values: dict[str, float] = {}
        for entry in json.loads((self._folder.edits / "index.json").read_text()):
            path = self._folder.edits / entry["file"]
            self.show(f"edit/{path.stem}", path, entry["prompt"], step)
            for name, score in records.get(f"edits/{path.name}", {}).items():
                values[f"score/{name}/{path.stem}"] = score["value"]
        values |= {f"score_mean/{name}": value for name, value in mean_scores(self._folder.path).items()}
        for logger in self.start() if values else ():
            logger.log_metrics(values, step=step)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loggers:
            from giftune.training.loggers import finish

            for logger in self._loggers:
                finish(logger, failed=error is not None)
            if "wandb" in self._makers:
                from giftune.cli import _wandb

                _wandb.tidy(self._folder.path)


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def mean_scores(run: Path) -> dict[str, float]:
    """Of each metric the mean over those edits of a run that have it."""
    found: dict[str, list[float]] = {}
    for record in _lines(run / "records.jsonl"):
        for name, score in record["scores"].items():
            found.setdefault(name, []).append(score["value"])
    return {name: sum(values) / len(values) for name, values in found.items()}
