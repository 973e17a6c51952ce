"""What happens beside the optimisation: log, checkpoints, previews, progress."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytorch_lightning as pl

from giftune.io.atomic import write_text
from giftune.training.module import TuningModule


class StepLog(pl.Callback):
    """One JSON line per step: each loss alone and with its weight, the learning rate, seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget what was logged after the checkpoint we resume from, and the half line of a kill."""
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        write_text(self.path, "".join(f"{line}\n" for line in lines[: trainer.global_step]))
        self.last = time.perf_counter()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.perf_counter()
        assert isinstance(pl_module, TuningModule)
        weights = pl_module.loss.weights
        line = {
            "step": trainer.global_step - 1,
            "loss": float(outputs["loss"]),
            "raw": outputs["parts"],
            "weighted": {name: weights[name] * value for name, value in outputs["parts"].items()},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(now - self.last, 4),
        }
        self.last = now
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


class PeriodicCheckpoint(pl.Callback):
    """Keeps one checkpoint, replaced now and then; none on an interrupt, which may fall into a step."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step % self.every == 0 and trainer.global_step < trainer.max_steps:
            trainer.save_checkpoint(self.path)


class EveryStep(pl.Callback):
    """Calls a function with the number of steps done, now and then."""

    def __init__(self, call: Callable[[int], object], every: int = 1) -> None:
        self.call, self.every = call, every

    def on_train_batch_end(self, trainer: pl.Trainer, *_: Any) -> None:
        if trainer.global_step % self.every == 0:
            self.call(trainer.global_step)


class LastGood(pl.Callback):
    """Saves the weights when the numbers go wrong: they are those before the step that failed."""

    def __init__(self, save: Callable[[int], object]) -> None:
        self.save = save

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        if isinstance(exception, FloatingPointError):
            self.save(trainer.global_step)
