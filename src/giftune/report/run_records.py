"""A run folder of ours to edits."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.report._arms import label
from giftune.report._entries import DAMAGE, number, scored, text, word, words
from giftune.report._lines import Reader, mapping
from giftune.report.results import Edit, Run


def read_run(folder: Path, reader: Reader) -> list[Edit]:
    """The finished edits of a run; of two lines for one file the later counts."""
    run, edits = None, {}
    records = folder / "records.jsonl"
    for record in reader.lines(records):
        try:
            run = run or _run(folder, text(record["method"]), reader)
            edit = _edit(record, run, reader)
        except DAMAGE:
            reader.damaged[records] += 1
            continue
        edits[edit.file] = edit
    return list(edits.values())


def _run(folder: Path, method: str, reader: Reader) -> Run:
    cell = reader.object(folder / "cell.json")
    losses = _losses(folder / "train.jsonl", reader)
    return Run(
        folder=folder,
        name=str(cell.get("name") or folder.name),
        method=method,
        choices={k: " ".join(str(v).split()) for k, v in mapping(cell.get("choices")).items()},
        provenance=reader.object(folder / "provenance.json"),
        losses=losses,
        tuning_seconds=sum(line["seconds"] for line in losses) if losses else None,
    )


def _losses(path: Path, reader: Reader) -> tuple[dict[str, Any], ...]:
    """One line per step; a step that was taken again after a restart counts as it was last."""
    steps = {}
    for line in reader.lines(path):
        try:
            raw = {name: number(value) for name, value in line["raw"].items()}
            found: dict[str, Any] = {"step": int(line["step"]), "seconds": number(line["seconds"]) or 0.0}
        except DAMAGE:
            reader.damaged[path] += 1
            continue
        found["raw"] = {name: math.nan if value is None else value for name, value in raw.items()}
        steps[found["step"]] = found
    return tuple(steps[step] for step in sorted(steps))


def _edit(record: Mapping[str, Any], run: Run, reader: Reader) -> Edit:
    file = run.folder / text(record["file"])
    measured, skipped = scored(record, file, reader)
    settings = dict(record.get("settings") or {})
    seed = settings.get("seed", run.choices.get("seed"))
    source = record.get("source")
    return Edit(
        run=run,
        arm=label(run),
        clip=_clip(text(record["clip"]), run.choices),
        source_prompt=text(record.get("source_prompt", "")),
        prompt=text(record["prompt"]),
        seed=None if seed is None else str(seed),
        file=file,
        source=None if source is None else run.folder / text(source),
        scores=measured,
        skipped=skipped,
        seconds=number(record.get("seconds")),
        settings=settings,
        type=word(record.get("type")),
        changes=words(record.get("changes")),
    )


def _clip(name: str, choices: Mapping[str, str]) -> str:
    """The clip's name and what the sweep varies about it: clips of one name may differ."""
    varied = [
        f"{key.rpartition('.')[2]}={value}"
        for key, value in choices.items()
        if key.startswith("data.") and value.strip("'") != name  # quoted where Hydra wants it so
    ]
    return ", ".join([name, *varied])
