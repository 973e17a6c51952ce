"""Folders as `giftune tune` leaves them, with real EmojiWorld clips and invented scores."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from giftune.clip import Clip
from giftune.emojiworld.world import WorldClip, make_clip
from giftune.io.gif import write_gif

CLIPS = (("rabbit", "grass", "jump"), ("fox", "beach", "run"), ("penguin", "snow", "fly"))
EDITS = (("panda", None, "plain"), (None, "moon", "pixel art"))
# name: unit, higher is better, backbone, usual value, spread over clips, over seeds
METRICS = {
    "frame_consistency": ("cosine", True, "CLIP tiny", 0.95, 0.01, 0.004),
    "textual_faithfulness": ("cosine", True, "CLIP tiny", 0.31, 0.02, 0.006),
    "trajectory_error": ("pixels", False, "EmojiWorld oracle", 3.2, 0.6, 0.3),
    "flicker": ("grey levels", False, "pixels", 6.5, 0.8, 0.3),
}
EFFECTS = {
    "full": {},
    "no_inversion": {"trajectory_error": 9.0, "textual_faithfulness": 0.01},
    "no_st_attn": {"frame_consistency": -0.05, "flicker": 2.0},
    "no_tuning": {"frame_consistency": -0.02, "flicker": 6.0, "trajectory_error": 1.5},
}
PROVENANCE = {
    "time": "2026-01-02T03:04:05+0000", "commit": "0123456789abcdef0123", "dirty": False,
    "packages": {"giftune": "0.1.0", "torch": "2.13.0"}, "python": "3.11.9",
    "hardware": {"system": "Linux-6.1", "cpus": 2, "threads": 1, "gpus": []},
}  # fmt: skip


@dataclass(frozen=True)
class Sweep:
    """What `write_sweep` makes."""

    arms: Sequence[str] = tuple(EFFECTS)
    clips: Sequence[tuple[str, str, str]] = CLIPS
    seeds: Sequence[int] = (1, 2)
    edits: Sequence[tuple[str | None, str | None, str]] = EDITS
    key: str = "ablation"
    failed: Sequence[str] = ()


def write_sweep(folder: Path, sweep: Sweep) -> Path:
    """All cells, failed where the name holds a text of `failed`; the same arguments make the same files."""
    cells = []
    for arm in sweep.arms:
        for clip in sweep.clips:
            for seed in sweep.seeds:
                choices = {sweep.key: arm, "data": f"emojiworld_{clip[0]}", "seed": str(seed)}
                name = ",".join(f"{key}={value}" for key, value in choices.items())
                cell = {"sweep": folder.name, "name": name, "choices": choices}
                failed = any(text in name for text in sweep.failed)
                write_run(folder / name, arm, clip, seed, sweep.edits, cell, failed)
                state, reason = ("failed", "tuning diverged") if failed else ("done", None)
                cells.append({"name": name, "folder": name, "state": state, "reason": reason})
    content = {"sweep": folder.name, "config": {"optimizer.lr": 0.003, "loss": "[temporal]"}, "cells": cells}
    (folder / "sweep.json").write_text(json.dumps(content))
    return folder


def write_run(
    folder: Path,
    arm: str = "full",
    clip: tuple[str, str, str] = CLIPS[0],
    seed: int = 1,
    edits: Sequence[tuple[str | None, str | None, str]] = EDITS,
    cell: Mapping[str, Any] | None = None,
    failed: bool = False,
) -> Path:
    """One run folder; its scores depend on arm, clip, seed and prompt."""
    folder.mkdir(parents=True)
    if cell is not None:
        (folder / "cell.json").write_text(json.dumps(cell))
    if failed:
        (folder / "failure.json").write_text(json.dumps({"reason": "tuning diverged"}))
        return folder
    random = np.random.default_rng([seed, *map(ord, arm + clip[0])])
    subject, background, motion = clip
    world = scene(subject, background, "plain", motion)
    write_gif(world.clip, folder / "source.gif")
    identity = {"source clip": clip[0], "caption": world.caption, "seed": seed, "method.arm": arm}
    (folder / "provenance.json").write_text(json.dumps({"identity": identity, **PROVENANCE}))
    (folder / "train.jsonl").write_text("".join(_steps(arm, random)))
    (folder / "edits").mkdir()
    records = []
    for number, (other, elsewhere, style) in enumerate(edits):
        edited = scene(other or subject, elsewhere or background, style, motion)
        write_gif(_spoil(edited.clip, arm, random), folder / "edits" / f"{number}.gif")
        records.append(
            {
                "prompt": edited.caption, "file": f"edits/{number}.gif",
                "settings": {"num_steps": 50, "guidance": 3.0, "seed": seed, "quality": "balanced"},
                "clip": world.clip.name, "source": "source.gif", "source_prompt": world.caption,
                "method": "giftune", "seconds": round(float(random.uniform(4, 5)), 2),
                "scores": scores(arm, clip[0], random),
                "skipped": {"pick_score": "the weights of PickScore are not here."},
            }
        )  # fmt: skip
    (folder / "records.jsonl").write_text("".join(f"{json.dumps(record)}\n" for record in records))
    return folder


@cache
def scene(subject: str, background: str, style: str, motion: str) -> WorldClip:
    return make_clip(subject, background, style, motion, num_frames=8, seed=0)


def scores(arm: str, clip: str, random: np.random.Generator) -> dict[str, Any]:
    """An effect of the arm, one of the clip, and chance."""
    entries = {}
    for name, (unit, higher, backbone, usual, by_clip, by_seed) in METRICS.items():
        of_clip = np.random.default_rng([*map(ord, name + clip)]).normal(0, by_clip)
        effect = EFFECTS.get(arm, {}).get(name, 0.0)
        value = float(usual + of_clip + effect + random.normal(0, by_seed))
        entries[name] = {"value": value, "unit": unit, "higher_is_better": higher, "backbone": backbone}
    return entries


def _steps(arm: str, random: np.random.Generator, num_steps: int = 60) -> list[str]:
    level = 0.1 + 0.02 * list(EFFECTS).index(arm) if arm in EFFECTS else 0.1
    lines = []
    for step in range(num_steps):
        fit = float((level + 0.3 * np.exp(-step / 12)) * random.uniform(0.7, 1.3))
        raw = {"reconstruction": fit, "temporal": fit / 5}
        line = {"step": step, "loss": fit * 1.02, "raw": raw, "weighted": raw, "lr": 3e-3, "seconds": 0.5}
        lines.append(f"{json.dumps(line)}\n")
    return lines


def _spoil(clip: Clip, arm: str, random: np.random.Generator) -> Clip:
    """As an arm might fail: another place, other frames, flickering light."""
    frames = clip.frames
    if arm == "no_inversion":
        frames = frames.roll((int(random.integers(-20, 20)), int(random.integers(-20, 20))), dims=(2, 3))
    if arm == "no_st_attn":
        frames = frames[torch.from_numpy(random.permutation(len(frames)))]
    if arm == "no_tuning":
        light = torch.from_numpy(random.uniform(0.6, 1.1, len(frames))).float()
        frames = frames * light[:, None, None, None]
    noise = torch.from_numpy(random.normal(0, 0.03, tuple(frames.shape))).float()
    return replace(clip, frames=(frames + noise).clamp(-1, 1))
