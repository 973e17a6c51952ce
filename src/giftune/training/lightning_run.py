"""One run of Lightning: in this process or with those that have joined, quietly, from a checkpoint or not."""

import logging
import os
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import Logger
from pytorch_lightning.plugins.environments import LightningEnvironment, TorchElasticEnvironment
from pytorch_lightning.strategies import DDPStrategy
from pytorch_lightning.utilities.exceptions import SIGTERMException

from giftune.training.checkpoint_io import AtomicCheckpointIO
from giftune.training.module import TuningModule
from giftune.training.ranks import here


def run(
    module: TuningModule,
    data: pl.LightningDataModule,
    callbacks: list[pl.Callback],
    checkpoint: Path,
    *,
    loggers: Sequence[Logger] = (),
    some_unused: bool = False,
    **settings: Any,
) -> None:
    """Optimise until `max_steps`, from the checkpoint on if it is there.

    `settings` are those of Lightning's trainer; `some_unused` says that not every step needs all parameters.
    """
    device = module.method.device
    with _quiet():
        trainer = pl.Trainer(
            accelerator={"cuda": "gpu"}.get(device.type, device.type),
            **(_together(some_unused) if here().count > 1 else _alone(device)),
            callbacks=callbacks,
            logger=list(loggers) or False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            use_distributed_sampler=False,
            **settings,
        )
        with _ended_from_outside():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint if checkpoint.exists() else None)


def _alone(device: torch.device) -> dict[str, Any]:
    """For Lightning: one process, whatever Slurm or another launcher says of the job around it."""
    devices = [device.index or 0] if device.type == "cuda" else 1
    return {"devices": devices, "plugins": [AtomicCheckpointIO(), LightningEnvironment()]}


def _together(some_unused: bool) -> dict[str, Any]:
    """For Lightning: the processes are here already, as torchrun or `giftune` itself started them."""
    count = here().count
    local = int(os.environ.get("LOCAL_WORLD_SIZE", count))
    return {
        "strategy": DDPStrategy(broadcast_buffers=False, find_unused_parameters=some_unused),
        "devices": local,
        "num_nodes": count // local,
        "plugins": [AtomicCheckpointIO(), TorchElasticEnvironment()],
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Leaves out Lightning's advice, none of which applies here."""
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
def _ended_from_outside() -> Iterator[None]:
    """Lightning makes exceptions of Ctrl-C and of SIGTERM; here both end the program as at any other time.

    Otherwise a sweep would take the end of the job for a cell that failed, and begin the next one.
    """
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except SIGTERMException:
        signal.signal(signal.SIGTERM, handlers[signal.SIGTERM])
        signal.raise_signal(signal.SIGTERM)
        raise
    except SystemExit as stop:
        if isinstance(stop.__context__, KeyboardInterrupt):
            signal.signal(signal.SIGINT, handlers[signal.SIGINT])
            raise KeyboardInterrupt from None
        raise
