"""One clip, repeated for every step."""

from typing import Any

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset


class RepeatedBatch(Dataset[Any]):
    """Repeats inside one epoch, because a data set of length one would make an epoch of every step."""

    def __init__(self, batch: Any, num_steps: int) -> None:
        self.batch, self.num_steps = batch, num_steps

    def __len__(self) -> int:
        return self.num_steps

    def __getitem__(self, index: int) -> Any:
        if index >= self.num_steps:
            raise IndexError(index)
        return self.batch


class ClipDataModule(pl.LightningDataModule):
    """What a method prepared from its clip, as it is: nothing is collated, copied or loaded by workers."""

    def __init__(self, batch: Any, num_steps: int) -> None:
        super().__init__()
        self.data = RepeatedBatch(batch, num_steps)

    def train_dataloader(self) -> DataLoader[Any]:
        return DataLoader(self.data, batch_size=None, num_workers=0, collate_fn=_as_it_is)


def _as_it_is(batch: Any) -> Any:
    return batch
