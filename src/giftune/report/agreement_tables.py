"""The agreement of metrics with the truth as tables."""

import csv
import io

from giftune.report.agreement import KINDS, TRUTHS, Agreement, Correlation
from giftune.report.bootstrap import few
from giftune.report.listing import Listing
from giftune.report.paper_table import NOTHING

CSV_COLUMNS = ("ranks_of", "metric", "truth", "rho", "low", "high", "edits", "clips", "methods")


def listings(agreement: Agreement) -> list[Listing]:
    """One for each kind of ranks: a row per metric, a column per truth."""
    kinds = [kind for kind in KINDS if any(found == kind for found, _, _ in agreement.found)]
    said = [f"{name}: {TRUTHS[name]}" for name in agreement.truths]
    clips = max(rho.clips for rho in agreement.found.values())
    notes = (
        "Spearman's rank correlation; + where a metric prefers what is better in truth; in brackets the 95 % "
        "bootstrap interval over clips; bold: it leaves out 0, not corrected for the number of comparisons.",
        f"Truths: {'; '.join(said)}.",
        *few(clips),
    )
    return [_listing(agreement, kind, notes if kind == kinds[0] else ()) for kind in kinds]


def to_csv(agreement: Agreement) -> str:
    """One line per kind of ranks, metric and truth, with every digit."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(CSV_COLUMNS)
    writer.writerows((*place, *found) for place, found in agreement.found.items())
    return text.getvalue()


def _listing(agreement: Agreement, kind: str, notes: tuple[str, ...]) -> Listing:
    rows, bold = [], set()
    for row, metric in enumerate(agreement.metrics):
        found = [agreement.found.get((kind, metric, truth)) for truth in agreement.truths]
        bold |= {(row, 1 + column) for column, rho in enumerate(found) if rho and rho.excludes_zero}
        rows.append((metric, *map(_cell, found)))
    title = f"Agreement with the truth among {KINDS[kind]}"
    return Listing(title, ("metric", *agreement.truths), tuple(rows), notes, frozenset(bold), long=True)


def _cell(found: Correlation | None) -> str:
    if found is None:
        return NOTHING
    shown = f"{found.rho:+.2f}"
    if found.low is not None and found.high is not None:
        shown += f" ({found.low:+.2f} to {found.high:+.2f})"
    return shown.replace("-", "−")
