"""The folder of a report: the page, its table in three forms, and what a benchmark has besides."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from giftune.errors import InputError
from giftune.io.atomic import write_text
from giftune.report import agreement_tables, benchmark_tables, listing
from giftune.report.agreement import Agreement, agreement
from giftune.report.animation import Sheets
from giftune.report.benchmark import benchmark
from giftune.report.bootstrap import Bootstrap
from giftune.report.comparison import Comparison
from giftune.report.heat_map import heat_map
from giftune.report.listing import Listing
from giftune.report.page import render
from giftune.report.results import Results
from giftune.report.table import to_csv, to_latex, to_markdown

MEDIA = "media"
SEED = 33  # of the bootstrap's draws: the same results make the same report
RANK_RESAMPLES = 1000  # ranks are dear to draw again


@dataclass(frozen=True)
class _Benchmark:
    """The small tables of the page, files by name, and what the picture shows."""

    tables: Sequence[Listing] = ()
    texts: dict[str, str] = field(default_factory=dict)
    agreement: Agreement | None = None


def write_report(
    results: Results,
    comparison: Comparison,
    folder: Path,
    title: str,
    shown: Sequence[str] = (),
    embed: bool = True,
    tile: int = 256,
) -> list[Path]:
    """Write `index.html` and `table.csv`, `.md` and `.tex`; without `embed`, pictures into `media/`.

    Of a benchmark also `benchmark.md`, `.tex` and `.csv` and `by_clip.csv`, and where the truth is known
    `agreement.md`, `.csv` and `.png`. Raises `InputError` for a folder that cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not embed:
            (folder / MEDIA).mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"output {folder} cannot be made: {error.strerror}.") from error
    sheets = Sheets(tile, None if embed else folder / MEDIA)
    found = _benchmark(results, comparison, shown) if results.benchmark and results.edits else _Benchmark()
    texts = {
        "index.html": render(results, comparison, sheets, title, shown, found.tables),
        "table.csv": to_csv(comparison),
        "table.md": to_markdown(comparison),
        "table.tex": to_latex(comparison),
        **found.texts,
    }
    for name, text in texts.items():
        write_text(folder / name, text)
    if found.agreement is not None:
        heat_map(found.agreement, folder / "agreement.png")
    return [folder / name for name in (*texts, *["agreement.png"] * (found.agreement is not None))]


def _benchmark(results: Results, comparison: Comparison, shown: Sequence[str]) -> _Benchmark:
    numbers = benchmark(results, comparison, Bootstrap(np.random.default_rng(SEED)))
    agreed = agreement(results, Bootstrap(np.random.default_rng(SEED), RANK_RESAMPLES))
    tables = benchmark_tables.listings(numbers, shown)
    short = [table for table in tables if not table.long]
    texts = {
        "benchmark.md": "\n".join(map(listing.to_markdown, [*tables, *benchmark_tables.failures(numbers)])),
        "benchmark.tex": "\n".join([listing.LATEX_NEEDS, *map(listing.to_latex, short)]),
        "benchmark.csv": benchmark_tables.to_csv(numbers),
        "by_clip.csv": benchmark_tables.by_clip_csv(numbers),
    }
    if agreed is None:
        return _Benchmark(tables, texts)
    more = agreement_tables.listings(agreed)
    texts["agreement.md"] = "\n".join(map(listing.to_markdown, more))
    texts["agreement.csv"] = agreement_tables.to_csv(agreed)
    return _Benchmark([*tables, *more], texts, agreed)
