"""A folder of results from elsewhere, described by its `manifest.json`, to edits (docs/report.md)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from giftune.report._entries import DAMAGE, number, scored, text
from giftune.report._lines import Reader, entries
from giftune.report.results import Edit, Run

NAME = "manifest.json"


def is_manifest(manifest: Mapping[str, Any]) -> bool:
    """Other programs call files so too."""
    return isinstance(manifest.get("results"), list)


def read_manifest(folder: Path, manifest: Mapping[str, Any], reader: Reader) -> list[Edit]:
    """The results of a manifest, damaged entries left out; sources are known by file, or its stem."""
    captions: dict[str, tuple[Path, str]] = {}
    for entry in entries(manifest.get("sources")):
        try:
            file = text(entry["file"])
            captions[file] = captions[Path(file).stem] = folder / file, text(entry.get("caption", ""))
        except DAMAGE:
            reader.damaged[folder / NAME] += 1
    runs: dict[str, Run] = {}
    edits = []
    for entry in manifest["results"]:
        try:
            method = text(entry["method"])
            run = runs.setdefault(method, Run(folder, method, method))
            edits.append(_edit(entry, run, captions, reader))
        except DAMAGE:
            reader.damaged[folder / NAME] += 1
    return edits


def _edit(
    entry: Mapping[str, Any], run: Run, captions: Mapping[str, tuple[Path, str]], reader: Reader
) -> Edit:
    file, name = run.folder / text(entry["file"]), text(entry["source"])
    source, caption = captions.get(name, (None, ""))
    measured, skipped = scored(entry, file, reader)
    tuning = number(entry.get("tuning_seconds"))
    if tuning is not None:
        run = Run(run.folder, run.name, run.method, tuning_seconds=tuning)
    return Edit(
        run=run,
        arm=run.method,
        clip=Path(name).stem,
        source_prompt=caption,
        prompt=text(entry["prompt"]),
        seed=None if entry.get("seed") is None else str(entry["seed"]),
        file=file,
        source=source,
        scores=measured,
        skipped=skipped,
        seconds=number(entry.get("seconds")),
    )
