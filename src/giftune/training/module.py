"""The Lightning module of every method that is tuned or learns."""

import math
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any

import pytorch_lightning as pl
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from giftune.data.seeded import seeded
from giftune.losses.combination import WeightedSum
from giftune.methods.base import Learner, Tunable
from giftune.training.learnt_state import learnt_state

MakeOptimizer = Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]


def step_generator(seed: int, step: int, rank: int = 0, part: int = 0) -> Generator:
    """The randomness of one step, a function of these numbers alone: resuming draws the same noise.

    `part` counts the batches whose gradients are accumulated in the step.
    """
    key = (rank, part) if part else (rank,) if rank else ()
    return seeded(seed, step, *key)


def warmed(step: int, warmup_steps: int) -> float:
    """Share of the learning rate in a step: a line from 1 / `warmup_steps` at the first one up to 1."""
    return min(1.0, (step + 1) / max(1, warmup_steps))


def total(parts: Mapping[str, tuple[Tensor, float]]) -> Float[Tensor, ""]:
    """sum of weight * loss."""
    weighted = sum(weight * value for value, weight in parts.values())
    assert isinstance(weighted, Tensor), "a method without losses"
    return weighted


class TuningModule(pl.LightningModule):
    """Optimises the trainable parameters of a method; its state is those parameters, and what goes with them.

    A method that is tuned needs a `loss`; a learner has losses of its own. A step takes the mean gradient of
    `accumulate` batches. Raises `FloatingPointError`, before any parameter changes, when a loss or the
    gradient is not finite.
    """

    def __init__(
        self,
        method: Tunable | Learner,
        loss: WeightedSum | None,
        make_optimizer: MakeOptimizer,
        seed: int,
        accumulate: int = 1,
        warmup_steps: int = 0,
    ) -> None:
        super().__init__()
        self.strict_loading = False  # frozen parameters are not in the checkpoint
        self.method, self.make_optimizer, self.seed = method, make_optimizer, seed
        self.network, self.loss = method.network, loss
        self.accumulate, self.warmup_steps = accumulate, warmup_steps
        self.rates: list[float] = []  # of the optimiser's groups, when warm

    def training_step(self, batch: Any, batch_idx: int) -> dict[str, Any]:
        part = batch_idx % self.accumulate
        generator = step_generator(self.seed, self.global_step, self.global_rank, part)
        parts = self._parts(batch, generator)
        values = {name: float(value.detach()) for name, (value, _) in parts.items()}
        for name, value in values.items():
            if not math.isfinite(value):
                raise FloatingPointError(f"loss {name} is {value} at step {self.global_step}")
        weights = {name: weight for name, (_, weight) in parts.items()}
        return {"loss": total(parts), "parts": values, "weights": weights}

    def _parts(self, batch: Any, generator: Generator) -> dict[str, tuple[Tensor, float]]:
        """Each loss and its weight."""
        if self.loss is None:
            assert isinstance(self.method, Learner)
            return self.method.losses(batch.opened(), generator)
        assert isinstance(self.method, Tunable)
        _, values = self.loss(self.method.step(batch, generator))
        return {name: (value, self.loss.weights[name]) for name, value in values.items()}

    def configure_optimizers(self) -> torch.optim.Optimizer:
        optimizer = self.make_optimizer(self._trained.values())
        self.rates = [group["lr"] for group in optimizer.param_groups]
        return optimizer

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The learning rate is a function of the step, so there is nothing about it to be resumed."""
        for group, rate in zip(optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * warmed(self.global_step, self.warmup_steps)

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
        state = learnt_state(self.network, self.method.trainable())
        return {f"network.{name}": value for name, value in state.items()}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        assert checkpoint["state_dict"].keys() == self.state_dict().keys(), "another method's checkpoint"

    @cached_property
    def _trained(self) -> dict[str, nn.Parameter]:
        parameters = dict(self.network.named_parameters())
        return {name: parameters[name] for name in self.method.trainable()}
