"""One self-contained HTML page from everything that was found."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, FunctionLoader, StrictUndefined

from giftune.errors import InputError
from giftune.report import plots
from giftune.report._lines import entries, mapping
from giftune.report._svg import colour, dashes
from giftune.report.animation import Sheet, Sheets
from giftune.report.comparison import Cell, Comparison
from giftune.report.listing import Listing, numbers
from giftune.report.results import Edit, Results
from giftune.report.table import MARKS, arrow, notes, number


class Tile(NamedTuple):
    """A clip of the grid, or why it cannot be shown."""

    edit: int  # its place in the page's list of edits
    seed: str
    sheet: Sheet | None
    trouble: str
    first: bool  # the first on the page with this picture, which it brings along


class Row(NamedTuple):
    """One clip and prompt: the source, and by arm its edits."""

    clip: str
    source_prompt: str
    prompt: str
    source: Tile
    columns: tuple[tuple[Tile, ...], ...]


class Grid:
    """The rows of the page, each picture embedded once."""

    def __init__(self, results: Results, arms: Sequence[str], sheets: Sheets) -> None:
        self.sheets = sheets
        self._shown: set[str] = set()
        places = list(dict.fromkeys((edit.clip, edit.prompt) for edit in results.edits))
        self.rows = [self._row(results, arms, place) for place in sorted(places, key=lambda place: place[0])]

    @property
    def most_frames(self) -> int:
        sheets = self.sheets.by_content.values()
        return max((len(sheet.durations_ms) for sheet in sheets), default=1)

    def _row(self, results: Results, arms: Sequence[str], place: tuple[str, str]) -> Row:
        here = [item for item in enumerate(results.edits) if (item[1].clip, item[1].prompt) == place]
        first = here[0][1]
        source = next((edit.source for _, edit in here if edit.source and edit.source.exists()), first.source)
        columns = tuple(
            tuple(self._tile(edit.file, index, edit.seed) for index, edit in here if edit.arm == arm)
            for arm in arms
        )
        return Row(first.clip, first.source_prompt, first.prompt, self._tile(source, -1, None), columns)

    def _tile(self, file: Any, index: int, seed: str | None) -> Tile:
        sheet, trouble = None, "no file"
        if file is not None and not file.exists():
            trouble = "the file is gone"
        elif file is not None:
            try:
                sheet = self.sheets.sheet(file)
            except InputError as error:
                trouble = str(error)
        new = sheet is not None and sheet.name not in self._shown
        if sheet is not None:
            self._shown.add(sheet.name)
        return Tile(index, seed or "", sheet, trouble, new)


def render(
    results: Results,
    comparison: Comparison,
    sheets: Sheets,
    title: str,
    shown: Sequence[str] = (),
    listings: Sequence[Listing] = (),
) -> str:
    """The page; of the metrics those in `shown` are visible at first, all if none of them is there.

    `listings` are the small tables of a benchmark, the long ones folded.
    """
    grid = Grid(results, comparison.arms, sheets)
    names = [metric.name for metric in comparison.metrics]
    steps, lines = plots.against_steps(results, comparison)
    script, style = _asset("page.js"), _asset("page.css")
    environment = Environment(
        loader=FunctionLoader(_asset),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"number": number, "arrow": arrow, "marks": MARKS, "key": _key, "numbers": numbers}
    environment.policies["json.dumps_kwargs"] = {"sort_keys": False}
    environment.filters["signed"] = _signed
    return environment.get_template("page.html.jinja").render(
        title=title,
        results=results,
        comparison=comparison,
        grid=grid,
        seeds=sorted({edit.seed or "" for edit in results.edits}, key=lambda seed: (len(seed), seed)),
        visible=[name for name in names if name in shown] or names,
        notes=notes(comparison),
        listings=listings,
        by_arm=plots.by_arm(comparison) if len(comparison.arms) > 1 else [],
        against_steps=steps,
        lines=lines,
        against_seconds=plots.against_seconds(results, comparison),
        losses=plots.losses(results, comparison.arms),
        facts=_facts(results, comparison),
        edits=[_described(edit, comparison) for edit in results.edits],
        style=style,
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def _asset(name: str) -> str:
    return (files("giftune.report") / "templates" / name).read_text(encoding="utf-8")


def _key(index: int) -> tuple[str, str]:
    """Colour and dashes of a line in a legend, as SVG wants them."""
    pattern = dashes(index)
    return colour(index), "" if isinstance(pattern, str) else " ".join(str(2 * part) for part in pattern[1])


def _signed(cell: Cell, decimals: int) -> str:
    """The difference to the reference with its interval."""
    assert cell.difference is not None, "asked for only where there is one"
    sign = "+" if cell.difference.mean >= 0 else ""
    return sign + number(cell.difference, decimals).replace("-", "−")


def _described(edit: Edit, comparison: Comparison) -> dict[str, Any]:
    """What the page says about one edit when it is looked at."""
    scores = {
        metric.name: f"{edit.scores[metric.name].value:.{metric.decimals}f}"
        for metric in comparison.metrics
        if metric.name in edit.scores
    }
    known = {
        "arm": edit.arm, "clip": edit.clip, "seed": edit.seed, "file": edit.file.name,
        "seconds": None if edit.seconds is None else f"{edit.seconds:.1f}",
        "tuning": None if edit.run.tuning_seconds is None else f"{edit.run.tuning_seconds:.1f}",
    }  # fmt: skip
    return {**known, "prompt": edit.prompt, "source_prompt": edit.source_prompt, "scores": scores}


def _facts(results: Results, comparison: Comparison) -> dict[str, Any]:
    """Where the results come from: what all runs share, and in what the configurations of arms differ."""
    origins = [run.provenance for run in results.runs if run.provenance]
    own: dict[str, Mapping[str, Any]] = {arm: results.runs_of(arm)[0].identity for arm in comparison.arms}
    keys = dict.fromkeys(key for identity in own.values() for key in identity)
    unlike = [key for key in keys if len({str(own[arm].get(key, "")) for arm in own if own[arm]}) > 1]
    packages: dict[str, set[str]] = {}
    for origin in origins:
        for name, version in mapping(origin.get("packages")).items():
            packages.setdefault(name, set()).add(str(version))
    commits = {f"{str(o.get('commit'))[:12]}{' with changes' if o.get('dirty') else ''}" for o in origins}
    hardware = {_machine(mapping(origin.get("hardware"))) for origin in origins}
    times = sorted(str(origin["time"]) for origin in origins if origin.get("time"))
    return {
        "commits": sorted(commits),
        "packages": {name: ", ".join(sorted(versions)) for name, versions in packages.items()},
        "hardware": sorted(filter(None, hardware)),
        "times": list(dict.fromkeys(times[:1] + times[-1:])),
        "differences": {key: [str(own[arm].get(key, "")) for arm in comparison.arms] for key in unlike},
        "constants": results.constants,
    }


def _machine(hardware: Mapping[str, Any]) -> str:
    gpus = ", ".join(map(str, entries(hardware.get("gpus")))) or "no GPU"
    return f"{hardware['system']}, {hardware.get('cpus')} CPUs, {gpus}" if "system" in hardware else ""
