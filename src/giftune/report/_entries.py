"""Entries of records.jsonl, manifests and score files to scores; raises for what is not as it should be."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.report._lines import Reader
from giftune.report.results import Score, Stage

# What reading an entry raises when it is damaged.
DAMAGE = (AttributeError, KeyError, TypeError, ValueError)


def text(value: Any) -> str:
    """On one line; raises TypeError for what is not text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return " ".join(value.split())


def number(value: Any) -> float | None:
    """None for what is missing or not finite; raises TypeError for what is no number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is not a number")
    return float(value) if math.isfinite(value) else None


def scores(entries: Mapping[str, Any] | None) -> dict[str, Score]:
    """Scores by name; a value that is null was no finite number and is left out."""
    found = {}
    for name, entry in (entries or {}).items():
        if (value := number(entry["value"])) is not None:
            unit, backbone = text(entry.get("unit", "")), text(entry.get("backbone", ""))
            found[name] = Score(value, unit, bool(entry["higher_is_better"]), backbone)
    return found


def reasons(entries: Mapping[str, Any] | None) -> dict[str, str]:
    return {name: text(reason) for name, reason in (entries or {}).items()}


def word(value: Any) -> str | None:
    return None if value is None else text(value)


def words(values: Any) -> tuple[str, ...] | None:
    return None if values is None else tuple(text(value) for value in values)


def stages(entries: Mapping[str, Any] | None) -> dict[str, Stage]:
    """What each part of the work took, by its name."""
    return {
        text(name): Stage(number(entry.get("seconds")), number(entry.get("memory_mb")))
        for name, entry in (entries or {}).items()
    }


def scored(entry: Mapping[str, Any], file: Path, reader: Reader) -> tuple[dict[str, Score], dict[str, str]]:
    """Scores and reasons of an entry, and over them those that `giftune evaluate` wrote beside the edit."""
    measured, skipped = scores(entry.get("scores")), reasons(entry.get("skipped"))
    beside = file.with_name(f"{file.name if file.is_dir() else file.stem}.scores.json")
    evaluated = reader.object(beside)
    try:
        measured |= scores(evaluated.get("scores"))
        skipped |= reasons(evaluated.get("skipped"))
    except DAMAGE:
        reader.damaged[beside] += 1
    return measured, {name: reason for name, reason in skipped.items() if name not in measured}
