"""The comparison as CSV for programs, and as Markdown and LaTeX for people."""

import csv
import io
from collections.abc import Callable

from giftune.report import _markup
from giftune.report.comparison import Cell, Comparison, Metric
from giftune.report.statistics import Interval

MARKS = {"better": "▲", "worse": "▼", "": ""}
CSV_COLUMNS = (
    "arm", "metric", "unit", "higher_is_better", "backbone", "n", "mean", "low", "high",
    "pairs", "difference", "difference_low", "difference_high", "verdict", "best",
)  # fmt: skip


def number(interval: Interval, decimals: int, between: str = " ± ") -> str:
    """The mean and half the width of its interval."""
    shown = f"{interval.mean:.{decimals}f}"
    return shown if interval.half is None else f"{shown}{between}{interval.half:.{decimals}f}"


def arrow(metric: Metric) -> str:
    return "↑" if metric.higher_is_better else "↓"


def notes(comparison: Comparison) -> list[str]:
    """What it takes to read the numbers, a sentence each."""
    least, most = comparison.units()
    counted = f"n = {least}" if least == most else f"n = {least} to {most}"
    said = [f"Mean over clips and seeds ({counted}); edits of one clip with one seed are averaged first."]
    if most < 2:
        said.append("One clip with one seed: no interval can be given.")
    else:
        said.append("±: half the 95 % interval of the mean (Student's t); bold: best mean.")
    if any(cell.difference and cell.difference.half is not None for cell in comparison.cells.values()):
        said.append(
            f"{MARKS['better']} better, {MARKS['worse']} worse than {comparison.reference}: the 95 % "
            "interval of the paired difference leaves out 0; not corrected for the number of comparisons."
        )
    by_backbone: dict[str, list[str]] = {}
    for metric in comparison.metrics:
        by_backbone.setdefault(metric.backbone or "not stated", []).append(metric.name)
    if by_backbone:
        pairs = (f"{backbone} ({', '.join(names)})" for backbone, names in by_backbone.items())
        said.append(f"Measured with: {'; '.join(pairs)}.")
    for reason in dict.fromkeys(comparison.skipped.values()):
        names = ", ".join(name for name, why in comparison.skipped.items() if why == reason)
        said.append(f"Not measured: {names}: {reason.rstrip('.')}.")
    return said


def to_csv(comparison: Comparison) -> str:
    """One line per arm and metric, with every digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    for arm in comparison.arms:
        for metric in comparison.metrics:
            if (cell := comparison.cells.get((arm, metric.name))) is None:
                continue
            value, difference = cell.value, cell.difference
            apart = (
                (difference.n, difference.mean, difference.low, difference.high) if difference else [""] * 4
            )
            writer.writerow(
                (
                    arm,
                    *metric[:4],
                    value.n,
                    value.mean,
                    value.low,
                    value.high,
                    *apart,
                    cell.verdict,
                    cell.best,
                )
            )
    return text.getvalue()


def to_markdown(comparison: Comparison) -> str:
    """A row per arm, a column per metric."""

    def show(cell: Cell, decimals: int) -> str:
        shown = number(cell.value, decimals)
        return f"{f'**{shown}**' if cell.best else shown} {MARKS[cell.verdict]}".strip()

    header, *rows = _rows(comparison, _markup.to_markdown, show)
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    said = "\n\n".join(_markup.to_markdown(note) for note in notes(comparison))
    return f"{table}\n\n{said}\n"


def to_latex(comparison: Comparison) -> str:
    """A `tabular` with the rules of booktabs, and the notes as comments."""
    marks = {"better": r"$^{\blacktriangle}$", "worse": r"$^{\blacktriangledown}$", "": ""}  # of amssymb

    def show(cell: Cell, decimals: int) -> str:
        shown = number(cell.value, decimals, r" {\scriptsize$\pm$} ").replace("-", "$-$")
        return (rf"\textbf{{{shown}}}" if cell.best else shown) + marks[cell.verdict]

    header, *rows = _rows(comparison, _markup.to_latex, show)
    body = [r"\toprule", _line(header), r"\midrule", *map(_line, rows), r"\bottomrule"]
    said = [f"% {note}" for note in notes(comparison)]
    lines = [*said, rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}", *body, r"\end{tabular}"]
    return "\n".join([r"% needs \usepackage{booktabs,amssymb}", *lines]) + "\n"


def _rows(
    comparison: Comparison, escape: Callable[[str], str], show: Callable[[Cell, int], str]
) -> list[list[str]]:
    units = {metric.name: f" [{metric.unit}]" if metric.unit else "" for metric in comparison.metrics}
    header = [f"{escape(m.name + units[m.name])} {escape(arrow(m))}" for m in comparison.metrics]
    rows = [["arm", *header]]
    for arm in comparison.arms:
        cells = [(comparison.cells.get((arm, metric.name)), metric) for metric in comparison.metrics]
        rows.append([escape(arm), *(show(cell, m.decimals) if cell else "–" for cell, m in cells)])
    return rows


def _line(cells: list[str]) -> str:
    return rf"{' & '.join(cells)} \\"
