"""Where captioned clips come from, and what is said of one that cannot be used."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from torch import Generator

from giftune.errors import InputError
from giftune.methods.base import Example


class Skip(NamedTuple):
    """A clip that was left out: the `kind` is for counting, the `reason` is the sentence."""

    clip: str
    kind: str  # "without caption", "missing", "too short", "broken"
    reason: str


class Unusable(InputError):
    """One clip of many cannot be learnt from."""

    def __init__(self, skip: Skip) -> None:
        super().__init__(skip.reason)
        self.skip = skip


@runtime_checkable
class ClipSource(Protocol):
    """Clips by number; reading one has no effect on any other."""

    count: int | None  # how many there are; None: there is no end to them
    digest: str  # tells one choice of clips from another, where the settings alone do not
    left_out: Sequence[Skip]  # what is known from the start to be of no use, and has no number

    def read(self, number: int, generator: Generator) -> Example:
        """That clip, at a random place of it where there is a choice; raises `Unusable`."""
        ...
