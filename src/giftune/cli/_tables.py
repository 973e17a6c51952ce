"""Scores on the terminal."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from giftune.metrics.suite import Score  # imports the libraries of all networks

MAIN = {  # of an edit's many scores, those that say most, with room for few words
    "textual_faithfulness": "faithfulness",
    "frame_consistency": "consistency",
    "trajectory_error": "trajectory error",
    "subjects_kept": "subjects kept",
    "subject_accuracy": "subject",
    "background_accuracy": "background",
    "style_accuracy": "style",
}


def show_scores(scores: "Sequence[Score]") -> None:
    """All scores of one edit, a row each."""
    table = columns("score", "value", "unit", "better", "backbone")
    for score in scores:
        better = "higher" if score.higher_is_better else "lower"
        table.add_row(score.name, f"{score.value:.4f}", score.unit, better, score.backbone)
    print_table(table)


def show_records(records: Sequence[Mapping[str, Any]]) -> None:
    """The main scores of several edits, a row each."""
    known = {name: record["scores"][name] for record in records for name in MAIN if name in record["scores"]}
    shown = [name for name in MAIN if name in known]
    if not shown:
        return
    table = columns("edit", *(f"{MAIN[name]}\n{_way(known[name])}" for name in shown))
    for record in records:
        values = (record["scores"].get(name) for name in shown)
        table.add_row(record["prompt"], *("–" if s is None else f"{s['value']:.2f}" for s in values))
    print_table(table)


def show_skipped(skipped: Iterable[Mapping[str, str]]) -> None:
    """One line for each reason, with the names of all scores that it left out."""
    named: dict[str, dict[str, None]] = {}
    for reasons in skipped:
        for name, reason in reasons.items():
            named.setdefault(reason, {})[name] = None
    for reason, names in named.items():
        print(f"skipped {', '.join(names)}: {reason}")


def _way(score: Mapping[str, Any]) -> str:
    unit = {"share of frames": "share"}.get(score["unit"], score["unit"])
    return f"{unit} {'↑' if score['higher_is_better'] else '↓'}"


def columns(first: str, *others: str) -> Table:
    table = Table(box=SIMPLE)
    table.add_column(first, overflow="fold")
    for name in others:
        table.add_column(
            name, justify="left" if name in ("unit", "better", "backbone") else "right", no_wrap=True
        )
    return table


def print_table(table: Table) -> None:
    if table.row_count:
        # rich knows no width but 80 where there is no terminal
        Console(width=None if sys.stdout.isatty() else 160, highlight=False).print(table)
