"""What the rest of the program may ask of a method, and what it gives to it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from giftune.clip import Clip
from giftune.losses.step import DenoisingStep

# Called with the name of a stage, the steps of it that are done, and their total.
OnProgress = Callable[[str, int, int], object]


def _unchanged(clip: Clip) -> Clip:
    return clip


def _nothing_known(prompt: str) -> None:
    return None


@dataclass(frozen=True, eq=False)
class EditTask:
    """One clip, what it shows, and what it shall show instead."""

    clip: Clip  # as the model sees it
    source_prompt: str
    prompts: tuple[str, ...] = ()
    mask: Float[Tensor, "f h w"] | None = None
    source: Clip | None = None  # as it was read; None if it is `clip`
    restore: Callable[[Clip], Clip] = _unchanged  # brings a result back to the size of `source`
    frame: Callable[[Clip], Clip] = _unchanged  # what it makes of such a result is as the model sees it
    truth: Mapping[str, Any] = field(default_factory=dict)  # of `clip`, by the names that metrics ask for
    asked: Callable[[str], Mapping[str, str] | None] = _nothing_known  # what a prompt names, if that is known
    types: Mapping[str, str] = field(default_factory=dict)  # of edits by their prompts, if a sheet says


class Example(NamedTuple):
    """One clip to learn from, at the size that the method works in."""

    clip: Clip
    caption: str
    name: str = ""


@runtime_checkable
class Editor(Protocol):
    """Every method and baseline."""

    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """One clip per prompt, in order, each as soon as it is finished."""
        ...


@runtime_checkable
class Stored(Editor, Protocol):
    """Results that exist already, under the name of the method that made them."""

    name: str

    def prompts_for(self, clip: Clip) -> list[str]:
        """Those of which there is a result for this clip."""
        ...


@runtime_checkable
class Tunable(Editor, Protocol):
    """A method that learns from the clip first."""

    network: nn.Module
    device: torch.device

    def prepare(self, clip: Clip, caption: str) -> Any:
        """Everything about the clip that stays the same in all steps, as a tuple of tensors."""
        ...

    def trainable(self) -> list[str]:
        """The names of the parameters of `network` that learn."""
        ...

    def step(self, batch: Any, generator: Generator) -> DenoisingStep:
        """One random denoising step of what `prepare` returned; all randomness comes from `generator`."""
        ...

    def quick(self) -> Editor:
        """The same weights in a hurry, for previews while tuning."""
        ...

    def save(self, path: Path, **facts: Any) -> None:
        """Write the tuned weights, with `facts` in their metadata."""
        ...

    def load(self, path: Path) -> None:
        """Read what `save` wrote; raises `InputError` if it belongs to another network."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A method that learns from many clips."""

    network: nn.Module  # holds every parameter that learns, and may hold frozen ones
    device: torch.device

    def trainable(self) -> list[str]:
        """The names of the parameters of `network` that learn."""
        ...

    def collate(self, examples: Sequence[Example], generator: Generator) -> Any:
        """A tuple of CPU tensors; pairs of frames, conditions to leave out and the like are drawn here."""
        ...

    def losses(self, batch: Any, generator: Generator) -> dict[str, tuple[Tensor, float]]:
        """Each loss of what `collate` made, a scalar with gradient, with its weight; all randomness here."""
        ...

    def save(self, path: Path, **facts: Any) -> None:
        """Write the trained weights, with `facts` in their metadata."""
        ...

    def load(self, path: Path) -> None:
        """Read what `save` wrote; raises `InputError` if it belongs to another network."""
        ...

    def start_from(self, path: Path) -> None:
        """Read what `save` wrote, of this network or of one with fewer of its parts; raises as `load`."""
        ...
