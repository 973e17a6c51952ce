"""A running mean of the weights while they are trained."""

from collections.abc import Mapping
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Tensor, nn

from giftune.training.callbacks import ends_step


class WeightAverage(pl.Callback):
    """mean <- d mean + (1 - d) weight after every step, d = min(`decay`, (1 + n) / (10 + n)) at the n-th.

    The early steps, from random weights, are forgotten faster, as in TensorFlow's moving average.
    """

    def __init__(self, parameters: Mapping[str, nn.Parameter], decay: float) -> None:
        self.parameters, self.decay = parameters, decay
        self.means: dict[str, Tensor] = {}

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        for name, parameter in self.parameters.items():
            mean = self.means.get(name, parameter)
            self.means[name] = mean.detach().clone().to(parameter.device)

    @torch.no_grad()
    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        if not ends_step(trainer, batch_idx):
            return
        done = trainer.global_step
        decay = min(self.decay, (1 + done) / (10 + done))
        for name, mean in self.means.items():
            mean.lerp_(self.parameters[name], 1 - decay)

    @torch.no_grad()
    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The means take the place of the weights."""
        for name, mean in self.means.items():
            self.parameters[name].copy_(mean)

    def state_dict(self) -> dict[str, Any]:
        return {"means": self.means}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.means = dict(state_dict["means"])
