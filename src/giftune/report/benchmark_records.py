"""The records of a benchmark, `results.jsonl`, which say enough where its cells are not beside them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from giftune.report._arms import label
from giftune.report._entries import DAMAGE, number, scored, stages, text, word, words
from giftune.report._lines import Reader, entries, mapping
from giftune.report.results import Edit, Failure, Run, Stage

NAME = "results.jsonl"


class Recorded(NamedTuple):
    """What the file alone says; edits only of cells whose run folders are not there to be read."""

    edits: list[Edit]
    failures: list[Failure]  # of cells without a later result
    finished: set[str]  # names of the other cells
    stages: dict[Path, Mapping[str, Stage]]  # of every cell, by its resolved run folder


def read_benchmark(folder: Path, reader: Reader) -> Recorded | None:
    """None where there is no such file, or one of something else; of two lines for one edit the later counts.

    An edit is one method, clip, seed and prompt. A result takes back an earlier failure of its cell.
    """
    path = folder / NAME
    if not path.is_file():
        return None
    names = _names(reader.object(folder / "sweep.json"))
    origins: dict[str, Mapping[str, Any]] = {}
    results: dict[tuple[str, str], Mapping[str, Any]] = {}
    failures: dict[str, Failure] = {}
    for line in reader.lines(path):
        try:
            if line.get("kind") == "provenance":
                origins[text(line["id"])] = line
            elif line.get("kind") == "failure":
                name = names.get(_cell(line), _name(line))
                failures[_cell(line)] = Failure(name, "failed", text(line["reason"]))
            elif line.get("kind") == "result":
                _edit(line, _run(folder, line, names, {}), reader)  # raises for a damaged one
                results[_cell(line), text(line["prompt"])] = line
                failures.pop(_cell(line), None)
        except DAMAGE:
            reader.damaged[path] += 1
    if not results and not failures:
        return None
    runs = {cell: _run(folder, line, names, origins) for (cell, _), line in results.items()}
    return Recorded(
        edits=[
            _edit(line, runs[cell], reader)
            for (cell, _), line in results.items()
            if not (runs[cell].folder / "records.jsonl").is_file()
        ],
        failures=list(failures.values()),
        finished={runs[cell].name for cell in runs if cell not in failures},
        stages={run.folder.resolve(): run.stages for run in runs.values()},
    )


def with_stages(edits: Sequence[Edit], known: Mapping[Path, Mapping[str, Stage]]) -> list[Edit]:
    """The edits with what the stages of their cells took, where that is known."""
    runs = {id(edit.run): edit.run for edit in edits}
    found = {key: known.get(run.folder.resolve(), run.stages) for key, run in runs.items()} if known else {}
    timed = {key: replace(runs[key], stages=stages) for key, stages in found.items() if stages}
    return [replace(edit, run=timed.get(id(edit.run), edit.run)) for edit in edits]


def _names(sweep: Mapping[str, Any]) -> dict[str, str]:
    """What the sweep calls the cells, by their folders."""
    cells = [mapping(cell) for cell in entries(sweep.get("cells"))]
    return {str(cell["folder"]): str(cell["name"]) for cell in cells if {"folder", "name"} <= cell.keys()}


def _cell(line: Mapping[str, Any]) -> str:
    """Its folder, or what that would be called."""
    return text(line["folder"]) if "folder" in line else _name(line)


def _name(line: Mapping[str, Any]) -> str:
    return ",".join(f"{key}={value}" for key, value in _choices(line).items())


def _choices(line: Mapping[str, Any]) -> dict[str, str]:
    return {"method": text(line["method"]), "data.clip": text(line["clip"]), "seed": str(line["seed"])}


def _run(
    folder: Path, line: Mapping[str, Any], names: Mapping[str, str], origins: Mapping[str, Mapping[str, Any]]
) -> Run:
    taken = stages(line.get("stages"))
    origin = origins.get(str(line.get("provenance")), {})
    return Run(
        folder=folder / text(line["folder"]),
        name=names.get(_cell(line), _name(line)),
        method=text(line["method"]),
        choices=_choices(line),
        provenance={**origin, "time": line["time"]} if origin and "time" in line else origin,
        tuning_seconds=taken["tuning"].seconds if "tuning" in taken else None,
        stages=taken,
    )


def _edit(line: Mapping[str, Any], run: Run, reader: Reader) -> Edit:
    file, source = run.folder / text(line["file"]), word(line.get("source"))
    measured, skipped = scored(line, file, reader)
    return Edit(
        run=run,
        arm=label(run),
        clip=text(line["clip"]),
        source_prompt=text(line.get("source_prompt") or line.get("caption") or ""),
        prompt=text(line["prompt"]),
        seed=str(line["seed"]),
        file=file,
        source=None if source is None else run.folder / source,
        scores=measured,
        skipped=skipped,
        seconds=number(line.get("seconds")),
        type=word(line.get("type")),
        changes=words(line.get("changes")),
    )
