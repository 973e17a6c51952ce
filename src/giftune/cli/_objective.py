"""One number for a search to improve, from the scores of a run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.errors import InputError


def read_objective(given: Any) -> dict[str, float] | None:
    """Raises `InputError` for anything but numbers by name."""
    if given is None:
        return None
    numbers = isinstance(given, Mapping) and all(
        isinstance(weight, int | float) and not isinstance(weight, bool) for weight in given.values()
    )
    if not given or not numbers:
        raise InputError(f"objective is {given!r}, it must be like {{flicker: 1, subject_accuracy: -5}}.")
    return {str(name): float(weight) for name, weight in given.items()}


def objective(folder: Path, weights: Mapping[str, float]) -> float:
    """The sum of the named scores, each its mean over the run's edits times its weight.

    Raises `InputError` for a score that the run has not.
    """
    try:
        records = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"objective needs scores, and {folder / 'records.jsonl'} has none.") from error
    total = 0.0
    for name, weight in weights.items():
        values = [line["scores"][name]["value"] for line in records if name in line["scores"]]
        if not values:
            known = sorted({key for line in records for key in line["scores"]})
            raise InputError(
                f"objective.{name} is not scored here; scored are: {', '.join(known) or 'none'}."
            )
        total += weight * sum(values) / len(values)
    return total
