"""The Lightning module of every tunable method."""

import hashlib
import math
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from torch import Generator, nn

from giftune.losses.combination import WeightedSum
from giftune.methods.base import Tunable

MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def step_generator(seed: int, step: int, rank: int = 0) -> Generator:
    """The randomness of one step, a function of these numbers alone: resuming draws the same noise."""
    key = f"{seed} {step} {rank}" if rank else f"{seed} {step}"
    digest = hashlib.sha256(key.encode()).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)


class TuningModule(pl.LightningModule):
    """Optimises the trainable parameters of a method; its state is those parameters only.

    Raises `FloatingPointError`, before any parameter changes, when a loss or the gradient is not finite.
    """

    def __init__(self, method: Tunable, loss: WeightedSum, make_optimizer: MakeOptimizer, seed: int) -> None:
        super().__init__()
        self.strict_loading = False  # frozen parameters are not in the checkpoint
        self.method, self.make_optimizer, self.seed = method, make_optimizer, seed
        self.network, self.loss = method.network, loss

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        generator = step_generator(self.seed, self.global_step, self.global_rank)
        total, parts = self.loss(self.method.step(batch, generator))
        values = {name: float(value.detach()) for name, value in parts.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"loss {name} is {value} at step {self.global_step}")
        return {"loss": total, "parts": values}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return self.make_optimizer(self._trained.values())

    def configure_gradient_clipping(
        self,
        optimizer: torch.optim.Optimizer,
        gradient_clip_val: float | None = None,
        gradient_clip_algorithm: str | None = None,
    ) -> None:
        limit = math.inf if gradient_clip_val is None else gradient_clip_val
        norm = nn.utils.clip_grad_norm_(self._trained.values(), limit)
        if not norm.isfinite():
            raise FloatingPointError(f"the gradient's norm is {norm.item()} at step {self.global_step}")

    def state_dict(self, *args: Any, **kwargs: Any) -> dict[str, Any]:  # type: ignore[override]
        return {f"network.{name}": parameter.detach() for name, parameter in self._trained.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        assert checkpoint["state_dict"].keys() == self.state_dict().keys(), "another method's checkpoint"

    @cached_property
    def _trained(self) -> dict[str, nn.Parameter]:
        parameters = dict(self.network.named_parameters())
        return {name: parameters[name] for name in self.method.trainable()}
