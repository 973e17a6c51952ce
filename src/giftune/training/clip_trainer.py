"""Trains a method that learns from many clips, from the last checkpoint if there is one."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pytorch_lightning.loggers import Logger

from giftune.data.clip_stream import ClipStream
from giftune.errors import InputError
from giftune.methods.base import Learner
from giftune.training.callbacks import CHECKPOINT, usual_callbacks
from giftune.training.clip_batches import ClipBatches
from giftune.training.lightning_run import run
from giftune.training.module import MakeOptimizer, TuningModule
from giftune.training.skipped import SkippedClips
from giftune.training.weight_average import WeightAverage


class ClipTrainer:
    """How long and how carefully to train; the method says on which device and in which precision.

    `batch_size` and `workers` are those of each process, and a step takes the mean gradient of `accumulate`
    batches. The learning rate rises in a line over `warmup_steps`. `average` is the decay of a mean of the
    weights that takes their place at the end. `processes` is as in `Tuner`.
    """

    def __init__(
        self,
        max_steps: int,
        batch_size: int = 4,
        gradient_clip: float | None = 1.0,
        checkpoint_every: int = 100,
        preview_every: int = 0,
        workers: int = 0,
        average: float | None = None,
        accumulate: int = 1,
        warmup_steps: int = 0,
        processes: int | None = 1,
    ) -> None:
        for name, value, least in (
            ("max_steps", max_steps, 1),
            ("batch_size", batch_size, 1),
            ("checkpoint_every", checkpoint_every, 1),
            ("preview_every", preview_every, 0),
            ("workers", workers, 0),
            ("accumulate", accumulate, 1),
            ("warmup_steps", warmup_steps, 0),
            ("processes", 1 if processes is None else processes, 1),
        ):
            if value < least:
                raise InputError(f"trainer.{name} is {value}, it must be at least {least}.")
        if average is not None and not 0 < average < 1:
            raise InputError(f"trainer.average is {average}, it must lie between 0 and 1, or be null.")
        self.max_steps, self.batch_size, self.gradient_clip = max_steps, batch_size, gradient_clip
        self.checkpoint_every, self.preview_every = checkpoint_every, preview_every
        self.workers, self.average = workers, average
        self.accumulate, self.warmup_steps = accumulate, warmup_steps

    def fit(
        self,
        method: Learner,
        stream: ClipStream,
        make_optimizer: MakeOptimizer,
        folder: Path,
        loggers: Sequence[Logger] = (),
        on_step: Callable[[int], object] | None = None,
        preview: Callable[[int], object] | None = None,
    ) -> None:
        """Train in place, writing `train.jsonl`, `skipped.jsonl` and a checkpoint to `folder`.

        Where several processes have joined, all call this, each with its own part of the stream; gradients
        are averaged, and the first one writes. All randomness comes from the stream's seed.

        Raises `FloatingPointError` when numbers overflow, and leaves `last_good_weights.safetensors` behind.
        """
        callbacks = usual_callbacks(
            method, folder, self.checkpoint_every, on_step, preview, self.preview_every
        )
        callbacks.append(SkippedClips(folder / "skipped.jsonl", stream.source.left_out))
        if self.average is not None:
            parameters = dict(method.network.named_parameters())
            learning = {name: parameters[name] for name in method.trainable()}
            callbacks.insert(0, WeightAverage(learning, self.average))  # before a checkpoint is written
        run(
            TuningModule(method, None, make_optimizer, stream.seed, self.accumulate, self.warmup_steps),
            ClipBatches(method, stream, self.batch_size, self.max_steps, self.workers, self.accumulate),
            callbacks,
            folder / CHECKPOINT,
            loggers=loggers,
            some_unused=True,
            max_steps=self.max_steps,
            gradient_clip_val=self.gradient_clip,
            accumulate_grad_batches=self.accumulate,
        )
