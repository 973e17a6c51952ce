"""Many clips in one folder, each with its caption and edits."""

import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from giftune.data.excerpt import Excerpt
from giftune.data.sheet import Entry
from giftune.errors import InputError
from giftune.methods.base import EditTask


@dataclass
class Collection(Excerpt, ABC):
    """One task for each of `entries`, read when it is its turn; `clip` chooses one by its name.

    Entries whose clip is missing or of no use are left out, with one warning. Raises `InputError` if none is
    left.
    """

    path: str | Path
    clip: str | None = None
    entries: tuple[Entry, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.entries = self._usable(chosen(self.listed(), self.clip))

    @abstractmethod
    def listed(self) -> tuple[Entry, ...]:
        """Everything that there should be."""

    @abstractmethod
    def find(self, name: str) -> Path:
        """Where that clip is; raises `InputError` if it is not there, or not whole."""

    def masks(self, name: str) -> Path | None:
        """Where its masks are, if it has any."""
        return None

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[EditTask]:
        for entry in self.entries:
            path, masks = self.find(entry.name), self.masks(entry.name)
            task = self.task(path, entry.caption, entry.prompts, entry.types, masks)
            assert task.source is not None, "it was read from a file"
            clip, source = (replace(clip, name=entry.name) for clip in (task.clip, task.source))
            yield replace(task, clip=clip, source=source)

    def _usable(self, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
        troubles = {entry.name: trouble for entry in entries if (trouble := self._trouble(entry.name))}
        if len(troubles) == len(entries):
            reason = next(iter(troubles.values()))
            if len(entries) == 1:
                raise InputError(reason)
            raise InputError(
                f"none of the {len(entries)} clips of {self.path} can be used; the first: {reason}"
            )
        if troubles:
            reasons = "; ".join(trouble.rstrip(".") for trouble in troubles.values())
            warnings.warn(f"{len(troubles)} of {len(entries)} clips are left out: {reasons}.", stacklevel=2)
        return tuple(entry for entry in entries if entry.name not in troubles)

    def _trouble(self, name: str) -> str:
        try:
            self.selection(self.find(name))
        except InputError as error:
            return str(error)
        return ""


def chosen(entries: tuple[Entry, ...], clip: str | None) -> tuple[Entry, ...]:
    """All entries, or the one of that name; raises `InputError` if there is none."""
    if clip is None:
        return entries
    found = tuple(entry for entry in entries if entry.name == clip)
    if not found:
        raise InputError(
            f"data.clip is {clip}, it must be one of {', '.join(entry.name for entry in entries)}."
        )
    return found
