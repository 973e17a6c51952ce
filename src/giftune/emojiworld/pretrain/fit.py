"""One way to run every training: a Lightning trainer that checkpoints, resumes and never starts over."""

from collections.abc import Iterable
from pathlib import Path

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import ModelCheckpoint
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader


def fit(
    module: pl.LightningModule, data: DataLoader, max_steps: int, folder: Path, precision: str = "bf16-mixed"
) -> None:
    """Train to `max_steps`, going on from `folder`/last.ckpt when it is there."""
    last = folder / "last.ckpt"
    checkpoints = ModelCheckpoint(
        dirpath=folder, save_last=True, save_top_k=0, every_n_train_steps=100, enable_version_counter=False
    )
    trainer = pl.Trainer(
        accelerator="auto",
        devices=1,
        precision=precision,  # type: ignore[arg-type]
        max_steps=max_steps,
        callbacks=[checkpoints],
        gradient_clip_val=1.0,
        logger=pl.loggers.CSVLogger(folder, name="log", version=""),
        log_every_n_steps=50,
        enable_model_summary=False,
    )
    with sdpa_kernel(_attention(trainer)):
        trainer.fit(module, data, ckpt_path=str(last) if last.exists() else None)


def _attention(trainer: pl.Trainer) -> list[SDPBackend]:
    """The plain form on a CPU: with so few tokens, flash attention's backward is half of a whole step."""
    on_cpu = trainer.strategy.root_device.type == "cpu"
    return [SDPBackend.MATH] if on_cpu else [SDPBackend.FLASH_ATTENTION, SDPBackend.MATH]


def warm_up_hold_decay(
    parameters: Iterable[torch.nn.Parameter],
    learning_rate: float,
    max_steps: int,
    weight_decay: float,
    warm_up: float = 0.05,
    decay: float = 0.25,
) -> OptimizerLRSchedulerConfig:
    """AdamW whose rate rises, stays, and falls to zero in the last `decay` share of the steps.

    A checkpoint from the flat part can go on to any larger `max_steps`, which a cosine could not.
    """
    optimizer = torch.optim.AdamW(parameters, lr=learning_rate, weight_decay=weight_decay, betas=(0.9, 0.99))

    def share(step: int) -> float:
        return min(
            1.0, (step + 1) / (warm_up * max_steps), max(0.0, (max_steps - step) / (decay * max_steps))
        )

    scheduler = {"scheduler": LambdaLR(optimizer, share), "interval": "step"}
    return {"optimizer": optimizer, "lr_scheduler": scheduler}  # type: ignore[typeddict-item]
