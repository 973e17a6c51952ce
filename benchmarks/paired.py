"""Tables of arms that were measured on the same things: means, and paired differences from one arm."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from main_job import interval


def of_units(rows: Sequence[Mapping[str, Any]], arm: str, column: str, unit: str) -> np.ndarray:
    """The column's mean over all rows of each `unit`, in the order of the units."""
    values: dict[Any, list[float]] = {}
    for row in rows:
        if row["arm"] == arm:
            values.setdefault(row[unit], []).append(row[column])
    return np.array([np.mean(values[key]) for key in sorted(values)])


def table(
    rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str], unit: str, reference: str | None = None
) -> str:
    """Means with 95 % intervals over units; with `reference`, of the paired differences from that arm.

    `columns` maps keys of the rows to what they are called.
    """
    arms = [arm for arm in dict.fromkeys(row["arm"] for row in rows) if arm != reference]
    corner = f"minus {reference}" if reference else ""
    lines = [f"| {corner} | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 1) + "|"]
    for arm in arms:
        cells = []
        for column in columns:
            base = of_units(rows, reference, column, unit) if reference else 0.0
            cells.append(interval(of_units(rows, arm, column, unit) - base))
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
