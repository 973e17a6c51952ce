"""From the run folders of a benchmark to the lines of its record file."""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from giftune.benchmark.record import RecordFile
from giftune.cli.cell import Cell, CellFolder

NAME = "results.jsonl"
KEPT = (
    "prompt",
    "type",
    "clip",
    "source",
    "source_prompt",
    "file",
    "scores",
    "skipped",
    "changes",
    "seconds",
)


def keep_up(benchmark: Path, cells: Iterable[Cell]) -> None:
    """Append what these cells have come to since their last lines, which is nothing for most."""
    file = RecordFile(benchmark / NAME)
    known = {_key(line): _without_time(line) for line in file.lines()}
    new = []
    for cell in cells:
        for line in _lines(CellFolder(benchmark, cell)):
            if known.get(_key(line)) != line:
                known[_key(line)] = line
                new.append({**line, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")})
    file.append(new)


def _lines(folder: CellFolder) -> Iterator[dict[str, Any]]:
    """One for each edit of a finished cell, after one for where they come from; or the reason it failed."""
    outcome, choices = folder.outcome(), folder.cell.choices
    place = {"method": choices["method"], "seed": int(choices["seed"]), "folder": folder.path.name}
    if outcome.state == "failed":
        clip = choices.get("data.clip", "").strip("'")
        yield {"kind": "failure", **place, "clip": clip, "reason": outcome.reason}
    if outcome.state != "done":
        return
    origin = _origin(_read(folder.path / "provenance.json"))
    yield origin
    stages = _read(folder.path / "stages.json")
    for record in _records(folder.path):
        kept = {name: record.get(name) for name in KEPT}
        yield {"kind": "result", **place, **kept, "stages": stages, "provenance": origin["id"]}


def _records(run: Path) -> list[dict[str, Any]]:
    """What was measured of each edit, or what was drawn where nothing was to be measured."""
    if (measured := run / "records.jsonl").exists():
        return [json.loads(line) for line in measured.read_text().splitlines()]
    drawn = json.loads((run / "edits" / "index.json").read_text())
    return [{**entry, "file": f"edits/{entry['file']}", "scores": {}, "skipped": {}} for entry in drawn]


def _origin(provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Code, libraries and hardware, which many cells share."""
    facts = {name: value for name, value in provenance.items() if name not in ("time", "identity", "method")}
    facts.pop("tuned_in", None)
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:8]
    return {"kind": "provenance", "id": name, **facts}


def _key(line: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(line.get(name) for name in ("kind", "id", "folder", "prompt"))


def _without_time(line: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in line.items() if name != "time"}


def _read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text()) if path.exists() else {}
