"""Runs the optimisation of a method on its clip, from the last checkpoint if there is one."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytorch_lightning.loggers import Logger

from giftune.errors import InputError
from giftune.losses.combination import WeightedSum
from giftune.methods.base import Tunable
from giftune.training.callbacks import CHECKPOINT, usual_callbacks
from giftune.training.datamodule import ClipDataModule
from giftune.training.lightning_run import run
from giftune.training.module import MakeOptimizer, TuningModule


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
        callbacks = usual_callbacks(
            method, folder, self.checkpoint_every, on_step, preview, self.preview_every
        )
        run(
            TuningModule(method, loss, make_optimizer, seed),
            ClipDataModule(batch, self.max_steps),
            callbacks,
            folder / CHECKPOINT,
            loggers=loggers,
            max_steps=self.max_steps,
            gradient_clip_val=self.gradient_clip,
        )
