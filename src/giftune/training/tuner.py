"""Runs the optimisation of a method on its clip, from the last checkpoint if there is one."""

import logging
import os
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy

from giftune.errors import InputError
from giftune.losses.combination import WeightedSum
from giftune.methods.base import Tunable
from giftune.training.callbacks import EveryStep, LastGood, PeriodicCheckpoint, StepLog
from giftune.training.checkpoint_io import AtomicCheckpointIO
from giftune.training.datamodule import ClipDataModule
from giftune.training.module import MakeOptimizer, TuningModule
from giftune.training.ranks import here


class Tuner:
    """How long and how carefully to tune; the method says on which device and in which precision.

    `processes` is what `giftune` starts, None one per GPU; here they are those that have joined.
    """

    def __init__(
        self,
        max_steps: int,
        gradient_clip: float | None = 1.0,
        checkpoint_every: int = 50,
        preview_every: int = 0,
        processes: int | None = 1,
    ) -> None:
        for name, value, least in (
            ("max_steps", max_steps, 0),
            ("checkpoint_every", checkpoint_every, 1),
            ("preview_every", preview_every, 0),
            ("processes", 1 if processes is None else processes, 1),
        ):
            if value < least:
                raise InputError(f"trainer.{name} is {value}, it must be at least {least}.")
        self.max_steps, self.gradient_clip = max_steps, gradient_clip
        self.checkpoint_every, self.preview_every = checkpoint_every, preview_every

    def fit(
        self,
        method: Tunable,
        batch: Any,
        loss: WeightedSum,
        make_optimizer: MakeOptimizer,
        folder: Path,
        seed: int,
        loggers: Sequence[Logger] = (),
        on_step: Callable[[int], object] | None = None,
        preview: Callable[[int], object] | None = None,
    ) -> None:
        """Tune in place, writing `train.jsonl` and a checkpoint to `folder`.

        Where several processes have joined, all call this: each draws noise and timesteps of its own,
        gradients are averaged, and the first one writes.

        Raises `FloatingPointError` when numbers overflow, and leaves `last_good_weights.safetensors` behind.
        """
        if self.max_steps == 0:
            return
        checkpoint = folder / "checkpoints" / "last.ckpt"
        callbacks: list[pl.Callback] = [
            StepLog(folder / "train.jsonl"),
            PeriodicCheckpoint(checkpoint, self.checkpoint_every),
        ]
        if here().first:
            folder.mkdir(parents=True, exist_ok=True)
            save = partial(method.save, folder / "last_good_weights.safetensors")
            callbacks.append(LastGood(lambda step: save(step=step)))
        if on_step:
            callbacks.append(EveryStep(on_step))
        if preview and self.preview_every:
            callbacks.append(EveryStep(preview, self.preview_every))
        with _quiet():
            trainer = self._trainer(method, callbacks, loggers)
            module, data = (
                TuningModule(method, loss, make_optimizer, seed),
                ClipDataModule(batch, self.max_steps),
            )
            with _keyboard_interrupt():
                trainer.fit(module, datamodule=data, ckpt_path=checkpoint if checkpoint.exists() else None)

    def _trainer(
        self, method: Tunable, callbacks: list[pl.Callback], loggers: Sequence[Logger]
    ) -> pl.Trainer:
        device = method.device
        return pl.Trainer(
            accelerator={"cuda": "gpu"}.get(device.type, device.type),
            **(_together() if here().count > 1 else _alone(device)),
            max_steps=self.max_steps,
            gradient_clip_val=self.gradient_clip,
            callbacks=callbacks,
            logger=list(loggers) or False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
        )


def _alone(device: torch.device) -> dict[str, Any]:
    """For Lightning: one process, whatever Slurm or another launcher says of the job around it."""
    devices = [device.index or 0] if device.type == "cuda" else 1
    return {"devices": devices, "plugins": [AtomicCheckpointIO(), LightningEnvironment()]}


def _together() -> dict[str, Any]:
    """For Lightning: the processes are here already, as torchrun or `giftune` itself started them."""
    count = here().count
    local = int(os.environ.get("LOCAL_WORLD_SIZE", count))
    return {
        "strategy": DDPStrategy(broadcast_buffers=False),
        "devices": local,
        "num_nodes": count // local,
        "plugins": [AtomicCheckpointIO(), TorchElasticEnvironment()],
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out Lightning's advice, none of which applies to one repeated clip."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="pytorch_lightning|lightning_fabric")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


@contextmanager
def _keyboard_interrupt() -> Iterator[None]:
    """Lightning makes Ctrl-C an exit with status 1 and ignores it from then on; here it stays what it is."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handler)
            raise KeyboardInterrupt from None
        raise
