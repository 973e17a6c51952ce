"""The optimiser that a configuration describes."""

from collections.abc import Mapping
from typing import Any

import torch

from giftune.cli._build import build
from giftune.errors import InputError


def optimizer(config: Mapping[str, Any]) -> Any:
    """A function from parameters to their optimiser; raises `InputError` for settings that it refuses."""
    make_optimizer = build(config["optimizer"], "optimizer")
    try:
        make_optimizer([torch.nn.Parameter(torch.zeros(1))])
    except (TypeError, ValueError) as error:
        raise InputError(f"optimizer cannot be made: {error}.") from error
    return make_optimizer
