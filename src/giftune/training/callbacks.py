"""What happens beside the optimisation: log, checkpoints, previews, progress."""

import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytorch_lightning as pl
import torch

from giftune.io.atomic import write_text
from giftune.methods.base import Learner, Tunable
from giftune.training.module import TuningModule
from giftune.training.ranks import here

CHECKPOINT = Path("checkpoints", "last.ckpt")  # seen from the folder of a run


def ends_step(trainer: pl.Trainer, batch_idx: int) -> bool:
    """Whether a batch is the last of those whose gradients are accumulated."""
    return (batch_idx + 1) % trainer.accumulate_grad_batches == 0


class StepLog(pl.Callback):
    """One JSON line per step: each loss alone and with its weight, the learning rate, seconds.

    The trainer's loggers get the same numbers, and the memory in use. Of several processes the first writes,
    and losses are means over all, and over the batches of a step.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.process = path, psutil.Process()
        self.last = 0.0
        self.losses: list[list[float]] = []  # total and parts, of each batch of the step so far

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Forget what was logged after the checkpoint we resume from, and the half line of a kill."""
        self.last, self.losses = time.perf_counter(), []
        if not trainer.is_global_zero:
            return
        lines = self.path.read_text().splitlines() if self.path.exists() else []
        write_text(self.path, "".join(f"{line}\n" for line in lines[: trainer.global_step]))

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, TuningModule)
        weights, parts = outputs["weights"], dict(outputs["parts"])
        share = trainer.accumulate_grad_batches  # by which Lightning has divided the total already
        self.losses.append([float(outputs["loss"]), *(value / share for value in parts.values())])
        if not ends_step(trainer, batch_idx):
            return
        sums = [sum(values) for values in zip(*self.losses, strict=True)]
        self.losses = []
        loss, *parts_of_all = _over_ranks(trainer, sums)
        if not trainer.is_global_zero:
            return
        now, parts = time.perf_counter(), dict(zip(parts, parts_of_all, strict=True))
        line = {
            "step": trainer.global_step - 1,
            "loss": loss,
            "raw": parts,
            "weighted": {name: weights[name] * value for name, value in parts.items()},
            "lr": trainer.optimizers[0].param_groups[0]["lr"],
            "seconds": round(now - self.last, 4),
        }
        self.last = now
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if trainer.loggers:
            values = scalars(line) | memory(self.process, pl_module.method.device)
            for logger in trainer.loggers:
                logger.log_metrics(values, step=line["step"])


def _over_ranks(trainer: pl.Trainer, values: list[float]) -> list[float]:
    """Means over all processes."""
    if trainer.world_size == 1:
        return values
    own = torch.tensor(values, device=trainer.strategy.root_device)
    return trainer.strategy.reduce(own, reduce_op="mean").tolist()  # type: ignore[union-attr]


def scalars(line: Mapping[str, Any]) -> dict[str, float]:
    """A line of the log under the names that all loggers show."""
    return {
        "loss/total": line["loss"],
        **{f"loss/{name}": value for name, value in line["raw"].items()},
        **{f"loss_weighted/{name}": value for name, value in line["weighted"].items()},
        "lr": line["lr"],
        "step_seconds": line["seconds"],
    }


def memory(process: psutil.Process, device: torch.device) -> dict[str, float]:
    """MiB of a process, and the most that tensors took on its GPU."""
    used = {"memory/rss_mib": process.memory_info().rss / 2**20}
    if device.type == "cuda":
        used["memory/cuda_max_mib"] = torch.cuda.max_memory_allocated(device) / 2**20
    return used


class PeriodicCheckpoint(pl.Callback):
    """Keeps one checkpoint, replaced now and then; none on an interrupt, which may fall into a step."""

    def __init__(self, path: Path, every: int) -> None:
        self.path, self.every = path, every

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        due = trainer.global_step % self.every == 0 and trainer.global_step < trainer.max_steps
        if due and ends_step(trainer, batch_idx):
            trainer.save_checkpoint(self.path)


class EveryStep(pl.Callback):
    """Calls a function with the number of steps done, now and then."""

    def __init__(self, call: Callable[[int], object], every: int = 1) -> None:
        self.call, self.every = call, every

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if ends_step(trainer, batch_idx) and trainer.global_step % self.every == 0:
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


def usual_callbacks(
    method: Tunable | Learner,
    folder: Path,
    checkpoint_every: int,
    on_step: Callable[[int], object] | None = None,
    preview: Callable[[int], object] | None = None,
    preview_every: int = 0,
) -> list[pl.Callback]:
    """What every run in a folder does beside the optimisation; the first process makes the folder."""
    callbacks: list[pl.Callback] = [
        StepLog(folder / "train.jsonl"),
        PeriodicCheckpoint(folder / CHECKPOINT, checkpoint_every),
    ]
    if here().first:
        folder.mkdir(parents=True, exist_ok=True)
        callbacks.append(
            LastGood(lambda step: method.save(folder / "last_good_weights.safetensors", step=step))
        )
    if on_step:
        callbacks.append(EveryStep(on_step))
    if preview and preview_every:
        callbacks.append(EveryStep(preview, preview_every))
    return callbacks
