from unittest.mock import create_autospec

import pytest
import pytorch_lightning as pl
import torch
from torch import nn

from giftune.training.weight_average import WeightAverage

MODULE = create_autospec(pl.LightningModule, instance=True)


def after(callback, parameter, values, start=0):
    """What a training does that sets the parameter to these values, one in each step."""
    trainer = create_autospec(pl.Trainer, instance=True, accumulate_grad_batches=1)
    callback.on_train_start(trainer, MODULE)
    for step, value in enumerate(values, start=start + 1):
        parameter.data.fill_(value)
        trainer.global_step = step
        callback.on_train_batch_end(trainer, MODULE, None, None, 0)
    return trainer


def test_a_running_mean_as_written_down():
    parameter = nn.Parameter(torch.full((2,), 5.0))
    values, mean = [1.0, 3.0, -2.0] * 40, 5.0
    callback = WeightAverage({"w": parameter}, 0.9)
    trainer = after(callback, parameter, values)
    for n, value in enumerate(values, start=1):
        decay = min(0.9, (1 + n) / (10 + n))
        mean = decay * mean + (1 - decay) * value
    assert parameter.tolist() == [-2.0, -2.0]
    callback.on_train_end(trainer, MODULE)
    assert parameter.tolist() == pytest.approx([mean, mean])


def test_its_state_is_all_it_needs_to_go_on():
    values = [1.0, 3.0, -2.0, 7.0]
    whole, halves = (nn.Parameter(torch.zeros(2)) for _ in range(2))
    one, two, three = (WeightAverage({"w": p}, 0.99) for p in (whole, halves, halves))
    after(one, whole, values)
    after(two, halves, values[:2])
    three.load_state_dict(two.state_dict())
    after(three, halves, values[2:], start=2)
    assert three.means["w"].equal(one.means["w"])
