"""A clip on disk with its caption: a GIF, a video, or a folder of pictures."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from giftune.data.excerpt import Excerpt
from giftune.errors import InputError
from giftune.methods.base import EditTask


@dataclass
class Gif(Excerpt):
    """One task. Raises `InputError` for a clip without motion, without caption, or that cannot be read."""

    path: str | Path
    prompt: str
    prompts: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not self.prompt.strip():
            raise InputError(
                'data.prompt is empty, it must say what the clip shows: data.prompt="a cat is running".'
            )
        self.only = self.task(self.path, self.prompt.strip(), self.prompts)

    def __iter__(self) -> Iterator[EditTask]:
        yield self.only
