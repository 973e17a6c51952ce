"""Folders as `giftune benchmark` leaves them, with invented scores and, where wanted, clips."""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from giftune.io.gif import write_gif
from tests.result_folders import scene

PROMPTS = {  # by type: attributes that they change
    "object": ("subject",),
    "background": ("background",),
    "style": ("style",),
    "multiple": ("subject", "background"),
}
# name: unit, higher is better, backbone, usual value, spread, decreases by this where an edit is bad
METRICS = {
    "frame_consistency": ("100 cos", True, "CLIP emojiworld", 97.0, 0.5, 1.0),
    "textual_faithfulness": ("100 cos", True, "CLIP emojiworld", 91.0, 1.5, 6.0),
    "flicker": ("grey levels", False, "pixels", 13.0, 2.0, -8.0),
    "loop_seam": ("grey levels", False, "pixels", 10.0, 2.0, 0.0),
    "subject_accuracy": ("share of frames", True, "EmojiWorld oracle", 1.0, 0.02, 0.3),
    "background_accuracy": ("share of frames", True, "EmojiWorld oracle", 1.0, 0.02, 0.3),
    "style_accuracy": ("share of frames", True, "EmojiWorld oracle", 1.0, 0.02, 0.3),
    "trajectory_error": ("px", False, "EmojiWorld oracle", 3.0, 0.5, -9.0),
}
KEPT = (
    "prompt", "type", "clip", "source", "source_prompt", "method", "file", "scores", "skipped",
    "changes", "seconds",
)  # fmt: skip
BADNESS = {"giftune": 0.1, "tune_a_video": 0.3, "text2video_zero": 0.6, "sdedit": 0.9}


@dataclass(frozen=True)
class Made:
    """What `write_benchmark` makes; cells in `failed` are methods and clips."""

    methods: Sequence[str] = tuple(BADNESS)
    clips: int = 6
    seeds: Sequence[int] = (33,)
    failed: Sequence[tuple[str, str]] = ()
    cells: bool = False  # run folders with records and pictures beside results.jsonl
    metrics: Mapping[str, tuple[str, bool, str, float, float, float]] = field(default_factory=lambda: METRICS)


def write_benchmark(folder: Path, made: Made) -> Path:
    """The same arguments make the same files; clips are hard to different degrees."""
    folder.mkdir(parents=True)
    lines: list[dict[str, Any]] = [
        {
            "kind": "provenance", "id": "ab12cd34", "commit": "0123456789abcdef0123", "dirty": False,
            "packages": {"giftune": "0.1.0"}, "python": "3.11.9", "config": "77",
            "hardware": {"system": "Linux-6.1", "cpus": 2, "threads": 1, "gpus": []},
        }
    ]  # fmt: skip
    cells = []
    for method in made.methods:
        for number in range(made.clips):
            for seed in made.seeds:
                clip = f"clip-{number}"
                choices = {"seed": str(seed), "data.clip": f"'{clip}'", "method": method}
                name, place = (
                    ",".join(f"{k}={v}" for k, v in choices.items()),
                    cell_folder(method, clip, seed),
                )
                failed = (method, clip) in made.failed
                lines += _failure(method, clip, seed) if failed else _results(made, method, number, seed)
                state, reason = ("failed", "not enough memory.") if failed else ("done", None)
                cells.append({"name": name, "folder": place, "state": state, "reason": reason})
                if made.cells and not failed:
                    _cell(folder / place, {"sweep": folder.name, "name": name, "choices": choices}, lines)
    if made.cells:
        (folder / "sweep.json").write_text(json.dumps({"sweep": folder.name, "config": {}, "cells": cells}))
    (folder / "results.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return folder


def cell_folder(method: str, clip: str, seed: int) -> str:
    return f"seed-{seed}-data-clip-{clip}-method-{method}"


def _failure(method: str, clip: str, seed: int) -> list[dict[str, Any]]:
    place = {"method": method, "clip": clip, "seed": seed, "folder": cell_folder(method, clip, seed)}
    return [{"kind": "failure", **place, "reason": "not enough memory.", "time": "2026-01-02T03:04:05+0000"}]


def _results(made: Made, method: str, number: int, seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng([seed, number, *map(ord, method)])
    clip, hard = f"clip-{number}", number / made.clips
    stages = {
        "tuning": {"seconds": 20.0 + number, "memory_mb": 900.0},
        "sampling": {"seconds": 8.0, "memory_mb": 500.0 + number},
    }
    lines = []
    for index, (kind, changes) in enumerate(PROMPTS.items()):
        bad = BADNESS.get(method, 0.5) * random.uniform(0.5, 1.5) + hard
        lines.append(
            {
                "kind": "result", "method": method, "clip": clip, "seed": seed,
                "prompt": f"{kind} edit of {clip}",
                "type": kind, "source_prompt": f"what {clip} is",
                "folder": cell_folder(method, clip, seed), "file": f"edits/{index}.gif",
                "source": "source.gif", "scores": _scores(made, bad, random),
                "skipped": {"pick_score": "no weights."},
                "changes": list(changes), "seconds": 2.0, "stages": stages, "provenance": "ab12cd34",
                "time": "2026-01-02T03:04:05+0000",
            }
        )  # fmt: skip
    return lines


def _scores(made: Made, bad: float, random: np.random.Generator) -> dict[str, Any]:
    scores = {}
    for name, (unit, higher, backbone, usual, spread, fall) in made.metrics.items():
        value = float(usual + random.normal(0, spread) - fall * bad)
        value = min(value, 1.0) if name.endswith("accuracy") else value
        scores[name] = {"value": value, "unit": unit, "higher_is_better": higher, "backbone": backbone}
    return scores


def _cell(folder: Path, cell: dict[str, Any], lines: list[dict[str, Any]]) -> None:
    (folder / "edits").mkdir(parents=True)
    (folder / "cell.json").write_text(json.dumps(cell | {"seconds": 1.0}))
    write_gif(scene("rabbit", "grass", "plain", "jump").clip, folder / "source.gif")
    records = []
    for line in (line for line in lines if line.get("folder") == folder.name):
        shutil.copy(folder / "source.gif", folder / line["file"])
        settings = {"seed": line["seed"]}
        records.append({key: line[key] for key in KEPT} | {"settings": settings})
    (folder / "records.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
