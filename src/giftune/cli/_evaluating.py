"""Reads what is to be scored, scores it, and shows and records the result."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from giftune.backbone.placement import resolve_device
from giftune.cli._build import build
from giftune.cli._pairing import FITS, FRAMES, like, read_mask
from giftune.cli._run import plain
from giftune.cli._tables import show_scores, show_skipped
from giftune.cli.provenance import provenance
from giftune.clip import Clip
from giftune.emojiworld.oracle import CLASSES
from giftune.errors import InputError
from giftune.io.atomic import write_json
from giftune.io.read import read_clip
from giftune.metrics.suite import Score, Suite


def evaluate(config: DictConfig) -> None:
    """Raises `InputError` before anything is loaded or written when an input cannot be used."""
    config.device = str(resolve_device(config.device))
    settings = plain(config)
    output = _output(settings)
    edited, inputs = _read(settings)
    suite = Suite(
        {name: partial(build, entry, f"metric.{name}") for name, entry in settings["metric"].items()}
    )
    scores, skipped = suite.score(edited=edited.frames, **inputs)
    given = ("edited", "source", "prompt", "source_prompt", "mask", "asked", "frames", "fit")
    record = {
        **{name: settings[name] for name in given},
        "num_frames": len(edited),
        "size": [edited.width, edited.height],
        "scores": {score.name: _entry(score) for score in scores},
        "skipped": skipped,
        "networks": settings["networks"],
        "provenance": provenance(),
    }
    write_json(output, record)
    show_scores(scores)
    show_skipped([skipped])
    print(f"written to {output}")


def _entry(score: Score) -> dict[str, Any]:
    return {key: value for key, value in asdict(score).items() if key != "name"}


def _output(settings: Mapping[str, Any]) -> Path:
    edited = Path(settings["edited"])
    stem = edited.resolve().name if edited.is_dir() else edited.stem
    path = Path(settings["output"] or edited.resolve().parent / f"{stem}.scores.json")
    if not path.parent.is_dir():
        raise InputError(f"output {path} cannot be written: its folder does not exist.")
    return path


def _read(settings: Mapping[str, Any]) -> tuple[Clip, dict[str, Any]]:
    """The edit, and everything else that was given, made to fit it."""
    for name, known in (("frames", FRAMES), ("fit", FITS)):
        if settings[name] not in known:
            raise InputError(f"{name} is {settings[name]!r}, it must be one of {', '.join(known)}.")
    inputs: dict[str, Any] = {name: _prompt(settings, name) for name in ("prompt", "source_prompt")}
    inputs["asked"] = _asked(settings["asked"])
    edited = read_clip(settings["edited"])
    if len(edited) < 2:
        raise InputError(f"edited {settings['edited']} has 1 frame, a clip to be scored needs at least 2.")
    how = settings["frames"], settings["fit"]
    if settings["source"] is not None:
        inputs["source"] = like(edited, read_clip(settings["source"]), "source", *how).frames
    if settings["mask"] is not None:
        inputs["mask"] = read_mask(settings["mask"], edited, *how)
    return edited, inputs


def _prompt(settings: Mapping[str, Any], name: str) -> str | None:
    if settings[name] is None:
        return None
    prompt = " ".join(str(settings[name]).split())
    if not prompt:
        raise InputError(f"{name} is empty, it must say what the clip shows.")
    return prompt


def _asked(asked: Any) -> dict[str, str] | None:
    if asked is None:
        return None
    if not isinstance(asked, Mapping) or set(asked) != set(CLASSES):
        raise InputError(f"asked is {json.dumps(asked)}, it must map {', '.join(CLASSES)} to a name each.")
    for attribute, name in asked.items():
        if name not in CLASSES[attribute]:
            known = ", ".join(CLASSES[attribute])
            raise InputError(f"asked.{attribute} is {name!r}, it must be one of {known}.")
    return dict(asked)
