"""Batches of a stream of clips, for the steps that are left."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import pytorch_lightning as pl
from torch.utils.data import DataLoader, Dataset, Sampler

from giftune.data.clip_source import Skip
from giftune.data.clip_stream import ClipStream
from giftune.data.seeded import seeded
from giftune.errors import InputError
from giftune.methods.base import Learner


class Batch(NamedTuple):
    """What a learner made of its examples, or what went wrong; and the clips newly found to be of no use."""

    inputs: Any
    skipped: Sequence[Skip] = ()
    error: str = ""

    def opened(self) -> Any:
        """Raises `InputError` here: on its way from another process its sentence would get lost."""
        if self.error:
            raise InputError(self.error)
        return self.inputs


class Batches(Dataset[Batch]):
    """Batch number k has the examples from k * `batch_size` on, and is a function of k alone."""

    def __init__(self, method: Learner, stream: ClipStream, batch_size: int, count: int) -> None:
        self.method, self.stream, self.batch_size, self.count = method, stream, batch_size, count
        self._told = 0

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Batch:
        numbers = range(index * self.batch_size, (index + 1) * self.batch_size)
        generator = seeded(self.stream.seed, "collate", index, self.stream.rank)
        try:
            inputs = self.method.collate([self.stream[number] for number in numbers], generator)
        except InputError as error:
            return Batch(None, self._news(), str(error))
        return Batch(inputs, self._news())

    def _news(self) -> list[Skip]:
        news = list(islice(self.stream.skipped.values(), self._told, None))
        self._told += len(news)
        return news


class Remaining(Sampler[int]):
    """The batches from `start` on; its length is that of all, which Lightning counts."""

    def __init__(self, start: int, count: int) -> None:
        self.start, self.count = start, count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.count))

    def __len__(self) -> int:
        return self.count


class ClipBatches(pl.LightningDataModule):
    """`accumulate` batches for each step. `workers` processes read ahead; with 0 clips are read between the
    steps. Results are the same.
    """

    def __init__(
        self,
        method: Learner,
        stream: ClipStream,
        batch_size: int,
        num_steps: int,
        workers: int,
        accumulate: int = 1,
    ) -> None:
        super().__init__()
        self.batches = Batches(method, stream, batch_size, num_steps * accumulate)
        self.workers, self.accumulate, self.start = workers, accumulate, 0

    def train_dataloader(self) -> DataLoader[Batch]:
        return DataLoader(
            self.batches,
            batch_size=None,
            sampler=Remaining(self.start, len(self.batches)),
            num_workers=self.workers,
            collate_fn=_as_it_is,
        )

    def state_dict(self) -> dict[str, Any]:
        """Where the stream is: examples taken by each rank, which is what a checkpoint has to say of it."""
        assert self.trainer is not None
        taken = self.trainer.global_step * self.accumulate * self.batches.batch_size
        return {"taken": taken, **self._shares()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Raises `InputError` for a checkpoint whose examples were dealt out in another way."""
        for name, now in self._shares().items():
            if (before := state_dict.get(name, 1)) != now:
                raise InputError(f"the checkpoint's {name} is {before}, here it is {now}.")
        self.start = state_dict["taken"] // self.batches.batch_size

    def _shares(self) -> dict[str, int]:
        stream = self.batches.stream
        batches = {"batch_size": self.batches.batch_size, "accumulate": self.accumulate}
        return {**batches, "ranks": stream.ranks, "stream_seed": stream.seed}


def _as_it_is(batch: Any) -> Any:
    return batch
