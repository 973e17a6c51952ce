"""What a report is made of: edits with their scores, the runs they came from, and what is not there."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple


class Score(NamedTuple):
    """A measured number with what it takes to read it."""

    value: float
    unit: str
    higher_is_better: bool
    backbone: str


class Failure(NamedTuple):
    """A cell of a sweep that is not there, and why."""

    cell: str
    state: str
    reason: str


class Stage(NamedTuple):
    """What one part of the work on a cell took; None where it was not recorded."""

    seconds: float | None
    memory_mb: float | None  # at its peak


@dataclass(frozen=True, eq=False)
class Run:
    """One run folder, or one method of a manifest, of which little is known."""

    folder: Path
    name: str
    method: str
    choices: Mapping[str, str] = field(default_factory=dict)  # what its sweep varies
    provenance: Mapping[str, Any] = field(default_factory=dict)
    losses: tuple[Mapping[str, Any], ...] = ()  # the lines of train.jsonl
    tuning_seconds: float | None = None
    stages: Mapping[str, Stage] = field(default_factory=dict)  # of a cell of a benchmark, by name

    @property
    def identity(self) -> dict[str, Any]:
        """What the tuned weights depend on, by dotted name, without the clip, its caption and the seed."""
        known = self.provenance.get("identity")
        if not isinstance(known, Mapping):
            return {}
        return {key: value for key, value in known.items() if key not in ("source clip", "caption", "seed")}


@dataclass(frozen=True, eq=False)
class Edit:
    """One edited clip: a row (clip and prompt), a column (arm) and a seed."""

    run: Run
    arm: str
    clip: str
    source_prompt: str
    prompt: str
    seed: str | None
    file: Path
    source: Path | None
    scores: Mapping[str, Score]  # by the name of the metric
    skipped: Mapping[str, str]
    seconds: float | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    type: str | None = None  # object, background, style, multiple, where the prompt's sheet says so
    changes: tuple[str, ...] | None = None  # attributes that the prompt replaces; only EmojiWorld knows


@dataclass(frozen=True, eq=False)
class Results:
    """Everything found; `notes` say in a sentence each what had to be left out."""

    edits: tuple[Edit, ...]
    failures: tuple[Failure, ...] = ()
    notes: tuple[str, ...] = ()
    constants: Mapping[str, Any] = field(default_factory=dict)  # what a sweep does not vary
    benchmark: bool = False  # whether the folders hold the records of one, or edits with a type

    @property
    def arms(self) -> list[str]:
        return list(dict.fromkeys(edit.arm for edit in self.edits))

    @property
    def runs(self) -> list[Run]:
        return list({id(edit.run): edit.run for edit in self.edits}.values())

    def runs_of(self, arm: str) -> list[Run]:
        return list({id(edit.run): edit.run for edit in self.edits if edit.arm == arm}.values())
