"""What the columns are called: the choices of a cell that are neither seed nor data."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from giftune.report.results import Edit, Run

# Their options say by themselves what they are.
SPEAKING = ("ablation", "method")


def label(run: Run) -> str:
    """Choices in the order of the sweep, or the method where nothing else is varied."""
    chosen = [
        value if key in SPEAKING else _pair(key, value)
        for key, value in run.choices.items()
        # an experiment chooses its own clip
        if key not in ("seed", "experiment") and key.partition(".")[0] != "data"
    ]
    return ", ".join(chosen) or run.method


def separate(edits: Sequence[Edit]) -> list[Edit]:
    """Tell edits of one arm, clip, prompt and seed apart: by what differs between them, else by run."""
    arms = defaultdict(list)
    for edit in edits:
        arms[edit.arm].append(edit)
    named: dict[int, str] = {}
    for arm, members in arms.items():
        rivals = _collisions(members)
        if not rivals:
            continue
        for facts in (_choices, _settings, _identity, _name):
            keys = [key for key in facts(rivals[0][0]) if any(_varies(group, facts, key) for group in rivals)]
            if not keys:
                continue
            rival = {_values(edit, facts, keys) for group in rivals for edit in group}
            for edit in members:
                own = [_pair(key, facts(edit).get(key, "")) for key in keys]
                named[id(edit)] = ", ".join([arm, *own]) if _values(edit, facts, keys) in rival else arm
            again = [replace(edit, arm=named[id(edit)]) for edit in members]
            if not _collisions(again):
                break
    return [replace(edit, arm=named.get(id(edit), edit.arm)) for edit in edits]


def _collisions(edits: Iterable[Edit]) -> list[list[Edit]]:
    places = defaultdict(list)
    for edit in edits:
        places[edit.arm, edit.clip, edit.prompt, edit.seed].append(edit)
    return [group for group in places.values() if len(group) > 1]


def _varies(group: Sequence[Edit], facts: Any, key: str) -> bool:
    return len({str(facts(edit).get(key)) for edit in group}) > 1


def _values(edit: Edit, facts: Any, keys: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(facts(edit).get(key)) for key in keys)


def _choices(edit: Edit) -> dict[str, Any]:
    return dict(edit.run.choices)


def _settings(edit: Edit) -> dict[str, Any]:
    return {key: value for key, value in edit.settings.items() if key != "seed"}


def _identity(edit: Edit) -> dict[str, Any]:
    return edit.run.identity


def _name(edit: Edit) -> dict[str, Any]:
    return {"run": edit.run.folder.name, "file": edit.file.name}


def _pair(key: str, value: Any) -> str:
    """The last part of a dotted name, and of a dotted path."""
    if key.endswith("._target_"):
        key, value = key.removesuffix("._target_"), str(value).rpartition(".")[2]
    return f"{key.rpartition('.')[2]}={value}"
