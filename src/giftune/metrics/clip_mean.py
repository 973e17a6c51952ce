"""What every metric of the suite is: a mean over clips."""

import torch
from torch import Tensor
from torchmetrics import Metric


class ClipMean(Metric):
    """Mean of one number per clip, every clip with the same weight, however long it is.

    A metric names in `update` what it needs, of source, edited, source_prompt, prompt, mask, flow, centres,
    depth, counts and asked, and hands its number to `record`.
    """

    full_state_update = False
    higher_is_better: bool
    unit: str = ""
    backbone: str = "pixels"  # what the number rests on: its value means nothing without this
    rare: bool = False  # few clips have what it needs, and for all others its absence goes without saying

    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", default=torch.zeros(()), dist_reduce_fx="sum")
        self.add_state("count", default=torch.zeros(()), dist_reduce_fx="sum")

    def record(self, value: Tensor) -> None:
        self.total += value.to(self.total)
        self.count += 1

    def compute(self) -> Tensor:
        return self.total / self.count
