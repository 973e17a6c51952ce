"""The layout of table 1 of Tune-A-Video (Wu et al. 2023): reruns here and published numbers, told apart."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from giftune.report.benchmark import ALL, Benchmark
from giftune.report.bootstrap import Estimate
from giftune.report.comparison import Metric
from giftune.report.listing import Listing

COLUMNS = {
    "frame_consistency": "frame consistency",
    "textual_faithfulness": "textual faithfulness",
    "pick_score": "PickScore",
}
UNITS = {"frame_consistency": "100 cos", "textual_faithfulness": "100 cos", "pick_score": "logit"}
OF_ONE_NETWORK = "pick_score"  # whatever the CLIP of the other columns
NOTHING = "–"
_APART = (
    "These are of other clips, and of another CLIP backbone or one not stated: "
    "they stand in no ranking with the reruns."
)


class _Row(NamedTuple):
    """A line of the table; `values` by the name in `COLUMNS`."""

    method: str
    kind: str
    values: Mapping[str, str]
    network: str
    measured_on: str
    best: frozenset[str] = frozenset()


@cache
def published() -> tuple[Mapping[str, Any], ...]:
    """Tables of others as printed there, each with its source, its clips and whether it was verified."""
    return tuple(json.loads((files("giftune.report") / "published.json").read_text(encoding="utf-8")))


def base(name: str) -> str:
    """A metric's name without the network that tells it from another of the same name."""
    return name.partition(" (")[0]


def paper_tables(found: Benchmark) -> list[Listing]:
    """Reruns with the published rows of their CLIP, then published rows of another; none without a rerun."""
    by_network: dict[str, dict[str, Metric]] = {}
    picked = None
    for metric in found.metrics:
        if metric.unit == UNITS.get(base(metric.name)):
            if base(metric.name) == OF_ONE_NETWORK:
                picked = picked or metric
            else:
                by_network.setdefault(metric.backbone, {})[base(metric.name)] = metric
    reruns: list[_Row] = []
    for network, columns in by_network.items():
        reruns += _reruns(found, network, {**columns, **({OF_ONE_NETWORK: picked} if picked else {})})
    if not reruns:
        return []
    alike = [table for table in published() if table["backbone"] in by_network]
    others = [table for table in published() if table["backbone"] not in by_network]
    beside = [*reruns, *_published(alike)]
    listings = [
        _listing("Laid out as table 1 of Tune-A-Video", beside, (*_reading(bool(alike)), *_sources(alike)))
    ]
    if others:
        listings.append(_listing("Published elsewhere", _published(others), (_APART, *_sources(others))))
    return listings


def _reruns(found: Benchmark, network: str, columns: Mapping[str, Metric]) -> list[_Row]:
    values = {
        (arm, name): number.value
        for name, metric in columns.items()
        for arm in found.arms
        if (number := found.numbers.get((ALL, arm, metric.name))) is not None
    }
    best = {
        name: max((v.value for (_, of), v in values.items() if of == name), default=None) for name in columns
    }
    rows = []
    for arm in found.arms:
        own = {name: values[arm, name] for name in columns if (arm, name) in values}
        if own:
            shown = {name: estimate(value, columns[name].decimals) for name, value in own.items()}
            first = frozenset(n for n, v in own.items() if v.value == best[n] and len(found.arms) > 1)
            most = max(own.values(), key=lambda value: value.edits)
            rows.append(_Row(arm, "rerun", shown, network, _extent(most, found.absent[arm]), first))
    return rows


def estimate(value: Estimate, decimals: int, signed: bool = False) -> str:
    """The mean and its interval."""
    sign = "+" if signed else ""
    shown = f"{value.value:{sign}.{decimals}f}"
    if value.low is not None and value.high is not None:
        shown += f" ({value.low:{sign}.{decimals}f} to {value.high:{sign}.{decimals}f})"
    return shown.replace("-", "−")


def _extent(value: Estimate, absent: int) -> str:
    counts = [f"{value.edits} edits of {value.clips} clip{'s' * (value.clips != 1)}"]
    return ", ".join(counts + [f"{absent} absent"] * (absent > 0))


def _published(tables: Sequence[Mapping[str, Any]]) -> list[_Row]:
    rows = []
    for table in tables:
        kind = "published" if table["verified"] else "published, unverified"
        for row in table["rows"]:
            values = {name: row[name] for name in COLUMNS if name in row}
            rows.append(_Row(row["method"], kind, values, table["backbone"], table["clips"]))
    return rows


def _listing(title: str, rows: Sequence[_Row], notes: tuple[str, ...]) -> Listing:
    columns = [name for name in COLUMNS if any(name in row.values for row in rows)]
    header = ("method", "kind", *(f"{COLUMNS[name]} ↑" for name in columns), "CLIP", "measured on")
    cells = tuple(
        (
            row.method,
            row.kind,
            *(row.values.get(name, NOTHING) for name in columns),
            row.network,
            row.measured_on,
        )
        for row in rows
    )
    bold = {
        (index, 2 + column)
        for index, row in enumerate(rows)
        for column, name in enumerate(columns)
        if name in row.best
    }
    return Listing(title, header, cells, notes, frozenset(bold))


def _reading(beside: bool) -> list[str]:
    said = [
        "Frame consistency: 100 x cosine of CLIP embeddings over all pairs of frames; textual faithfulness: "
        "100 x cosine of frames and prompt; each edit counts once.",
        "In brackets the 95 % bootstrap interval over clips; bold: best mean among the reruns of one CLIP.",
        "Numbers of different CLIP backbones, or of different clips, must not be put in one ranking.",
    ]
    return said + ["The published rows are of other clips unless the data set is theirs."] * beside


def _sources(tables: Sequence[Mapping[str, Any]]) -> list[str]:
    said = []
    for table in tables:
        names = ", ".join(row["method"] for row in table["rows"])
        doubt = (
            "" if table["verified"] else " Unverified: these numbers could not be compared with the paper."
        )
        said.append(f"{table['source']} ({names}): {table['clips']}. {table['note']}{doubt}")
    return said
