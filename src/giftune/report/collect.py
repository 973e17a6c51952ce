"""Folders to results: runs of ours, sweeps and benchmarks of them, and results from elsewhere."""

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from giftune.errors import InputError
from giftune.report import benchmark_records, manifest
from giftune.report._arms import separate
from giftune.report._lines import Reader, entries, mapping, shorten
from giftune.report.results import Edit, Failure, Results, Stage
from giftune.report.run_records import read_run


@dataclass
class _Found:
    edits: list[Edit] = field(default_factory=list)
    failures: dict[str, Failure] = field(default_factory=dict)
    order: dict[str, int] = field(default_factory=dict)  # of the cells of all sweeps, by name
    constants: dict[str, Any] = field(default_factory=dict)
    finished: set[str] = field(default_factory=set)  # cells; a sweep that was killed does not say so
    stages: dict[Path, Mapping[str, Stage]] = field(default_factory=dict)  # of a benchmark's cells
    benchmark: bool = False


def collect(folders: Sequence[Path]) -> Results:
    """Everything in these folders and below, in the order of the sweeps.

    Raises `InputError` for what is no folder and for folders without any result.
    """
    reader, found = Reader(), _Found()
    for folder in folders:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder: name run folders, sweeps, or folders of results.")
    for folder in _walk(folders):
        _read(folder, found, reader)
    for edit in found.edits:
        cell = found.failures.get(edit.run.name)
        if cell and (cell.state == "done" or cell.cell in found.finished):
            del found.failures[cell.cell]
    note = reader.note(folders[0])
    if not found.edits and not found.failures:
        names = " and ".join(map(str, folders))
        wanted = "no records.jsonl of a run, no sweep.json or results.jsonl, no manifest.json with results"
        raise InputError(f"nothing to report in {names}: {wanted}.{f' {note}' if note else ''}")
    last = len(found.order)
    known = benchmark_records.with_stages(found.edits, found.stages)
    edits = sorted(known, key=lambda edit: found.order.get(edit.run.name, last))
    missing = [shorten(edit.file, folders[0]) for edit in edits if not edit.file.exists()]
    gone = f"{len(missing)} of the files recorded are gone, {missing[0]} first." if missing else None
    return Results(
        edits=tuple(_separate_backbones(separate(edits))),
        failures=tuple(found.failures.values()),
        notes=tuple(filter(None, (note, gone))),
        constants=found.constants,
        benchmark=found.benchmark or any(edit.type for edit in edits),
    )


def _walk(folders: Sequence[Path]) -> Iterator[Path]:
    """Each folder once, hidden ones left out."""
    seen = set()
    for top in folders:
        for path, names, _ in os.walk(top):
            names[:] = sorted(name for name in names if not name.startswith("."))
            folder = Path(path)
            if (real := folder.resolve()) not in seen:
                seen.add(real)
                yield folder


def _read(folder: Path, found: _Found, reader: Reader) -> None:
    sweep = reader.object(folder / "sweep.json")
    found.constants |= mapping(sweep.get("config"))
    for cell in entries(sweep.get("cells")):
        if isinstance(cell, Mapping) and "name" in cell:
            name, state = str(cell["name"]), str(cell.get("state", "missing"))
            found.order.setdefault(name, len(found.order))
            reason = "it left no records.jsonl" if state == "done" else "not run yet"
            found.failures[name] = Failure(name, state, str(cell.get("reason") or reason))
    if recorded := benchmark_records.read_benchmark(folder, reader):
        found.benchmark = True
        found.edits += recorded.edits
        found.finished |= recorded.finished
        found.stages |= recorded.stages
        found.failures |= {failure.cell: failure for failure in recorded.failures}
    if (folder / "records.jsonl").is_file():
        found.edits += read_run(folder, reader)
    itself = reader.object(folder / "cell.json")
    name = str(itself.get("name") or folder.name)
    if itself.get("seconds") is not None:
        found.finished.add(name)
    elif failure := reader.object(folder / "failure.json"):
        found.failures[name] = Failure(name, "failed", str(failure.get("reason", "no reason is recorded")))
    if (folder / manifest.NAME).is_file():
        content = reader.object(folder / manifest.NAME)
        if manifest.is_manifest(content):
            found.edits += manifest.read_manifest(folder, content, reader)


def _separate_backbones(edits: Sequence[Edit]) -> list[Edit]:
    """Scores of one name from different networks or in different units are different metrics."""
    kinds = defaultdict(set)
    for edit in edits:
        for name, score in edit.scores.items():
            kinds[name].add(score[1:])
    unlike = {name for name, found in kinds.items() if len(found) > 1}
    return [
        replace(
            edit,
            scores={
                f"{name} ({score.backbone or score.unit})" if name in unlike else name: score
                for name, score in edit.scores.items()
            },
        )
        for edit in edits
    ]
