from functools import partial

import pytest
import torch
from torch import nn

from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.step import DenoisingStep
from giftune.losses.temporal import TemporalConsistency


class ToyMethod:
    """The smallest thing that can be tuned: one learnt and one frozen scale on a clip of numbers."""

    def __init__(self, poison_step=None):
        self.network = nn.ParameterDict({"learnt": torch.full((2,), 0.5), "frozen": torch.ones(2)})
        self.network["frozen"].requires_grad_(False)
        self.device, self.poison_step, self.drawn = torch.device("cpu"), poison_step, []

    def trainable(self):
        return ["learnt"]

    def prepare(self, clip, caption):
        return (torch.linspace(-1, 1, 24).reshape(1, 2, 3, 2, 2),)

    def step(self, batch, generator):
        (x0,) = batch
        noise = torch.randn(x0.shape, generator=generator)
        self.drawn.append(noise.mean().item())
        scale = (self.network["learnt"] * self.network["frozen"]).reshape(1, 2, 1, 1, 1)
        if len(self.drawn) - 1 == self.poison_step:
            scale = scale * float("nan")
        alpha_bar = torch.tensor([0.5])
        noisy = alpha_bar.sqrt() * x0 + (1 - alpha_bar).sqrt() * noise
        return DenoisingStep(noisy, scale * noise, noise, x0, torch.tensor([500]), alpha_bar, "epsilon")

    def edit(self, clip, prompts, generator, on_progress=None):
        yield from ()

    def quick(self):
        return self

    def save(self, path, **facts):
        torch.save({**facts, "learnt": self.network["learnt"].detach()}, path)

    def load(self, path):
        raise NotImplementedError


@pytest.fixture
def toy():
    return ToyMethod


@pytest.fixture
def loss():
    return WeightedSum({"reconstruction": (Reconstruction(), 1.0), "temporal": (TemporalConsistency(), 0.5)})


@pytest.fixture
def make_optimizer():
    return partial(torch.optim.AdamW, lr=0.01, weight_decay=0.1)
