"""Captioned clips without end, shuffled anew in every epoch and dealt out to the ranks of a training."""

from collections.abc import Iterator
from itertools import count

import torch
from jaxtyping import Int
from torch import Tensor

from giftune.data.clip_source import ClipSource, Skip, Unusable
from giftune.data.seeded import seeded
from giftune.errors import InputError
from giftune.methods.base import Example


class ClipStream:
    """`stream[k]` is the k-th example of this rank, and a function of `seed` and k alone.

    All epochs, each in an order of its own, lie one after the other, and of this sequence rank r of n takes
    the places r, r + n, ... So ranks never share a clip within an epoch, each can go on for ever, and the
    number of examples taken is all there is to know for taking the next. In the place of a clip that cannot
    be used comes the next in order that can; `skipped` collects those met so far, by their numbers.
    """

    def __init__(self, source: ClipSource, seed: int, rank: int = 0, ranks: int = 1) -> None:
        self.source, self.seed, self.rank, self.ranks = source, seed, rank, ranks
        self.skipped: dict[int, Skip] = {}
        self._orders: dict[int, Tensor] = {}

    def __getitem__(self, number: int) -> Example:
        """Raises `InputError` if not a single clip can be used."""
        position = number * self.ranks + self.rank
        for clip in self._candidates(position):
            if clip in self.skipped:
                continue
            try:
                return self.source.read(clip, seeded(self.seed, "excerpt", position))
            except Unusable as error:
                self.skipped[clip] = error.skip
        first = next(iter(self.skipped.values())).reason
        raise InputError(f"none of the {len(self.skipped)} clips can be used; the first: {first}")

    def __iter__(self) -> Iterator[Example]:
        return map(self.__getitem__, count())

    def _candidates(self, position: int) -> Iterator[int]:
        """The clip at a position of the sequence, then those after it in the same epoch, around its end."""
        if self.source.count is None:
            return iter((position,))
        size = self.source.count
        epoch, place = divmod(position, size)
        order = self._order(epoch, size)
        return (int(order[(place + further) % size]) for further in range(size))

    def _order(self, epoch: int, size: int) -> Int[Tensor, "n"]:
        if epoch not in self._orders:
            kept = {e: order for e, order in self._orders.items() if abs(e - epoch) <= 1}
            order = torch.randperm(size, generator=seeded(self.seed, "epoch", epoch))
            self._orders = {**kept, epoch: order}
        return self._orders[epoch]
