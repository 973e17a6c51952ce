"""`giftune info`: what a clip, a run, a file of tuned weights or a checkpoint is."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from giftune.errors import InputError
from giftune.io.gif_blocks import walk
from giftune.io.header import Header, sniff
from giftune.io.limits import DEFAULT_LIMITS
from giftune.io.timing import shown_ms

HELP = """usage: giftune info PATH

Say what PATH is: a clip (GIF, video, picture, folder of pictures), a run folder, a file of tuned weights,
or a checkpoint in diffusers layout.

examples:
  giftune info cat.gif
  giftune info runs/cat-1a2b3c4d"""


def main(argv: Sequence[str]) -> int:
    if not argv or "-h" in argv or "--help" in argv:
        print(HELP)
        return 0
    if len(argv) > 1:
        raise InputError(f"info takes one path, {len(argv)} are given: quote a path that has spaces.")
    path = Path(argv[0])
    try:
        facts = list(describe(path))
    except InputError:
        raise
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is damaged: its JSON files do not say what they should.") from error
    for name, value in facts:
        print(f"{name:12} {value}")
    return 0


def describe(path: Path) -> Iterator[tuple[str, Any]]:
    """Name and value of each fact; raises `InputError` for what is none of the four."""
    if (path / "provenance.json").is_file():
        return _run(path)
    if (path / "model_index.json").is_file():
        return _checkpoint(path)
    if path.suffix == ".safetensors" and path.is_file():
        return _weights(path)
    return _clip(path)


def _clip(path: Path) -> Iterator[tuple[str, Any]]:
    header: Any
    if path.is_file() and sniff(path, DEFAULT_LIMITS) == "gif":
        blocks = walk(path.read_bytes(), path, DEFAULT_LIMITS)  # without torch, which takes seconds to import
        durations = tuple(shown_ms(patch.duration_ms) for patch in blocks.patches)
        header = Header(blocks.width, blocks.height, durations, blocks.loop, "gif")
        num_frames, duration_ms = len(durations), sum(durations)
    else:
        from giftune.io.read import probe

        header = probe(path)
        num_frames, duration_ms = header.num_frames, header.duration_ms
    yield "format", header.format
    yield "size", f"{header.width} x {header.height}"
    yield "frames", num_frames
    yield "seconds", duration_ms / 1000
    yield "loop", {None: "once", 0: "for ever"}.get(header.loop, f"{header.loop} repeats")


def _run(path: Path) -> Iterator[tuple[str, Any]]:
    facts = json.loads((path / "provenance.json").read_text())
    yield "run", path
    caption = facts["identity"].get("caption")  # one that learnt from many clips has none
    yield ("caption", caption) if caption else ("corpus", facts["corpus"])
    yield "backbone", facts["identity"]["backbone.source"]
    yield "made", facts["time"]
    yield "commit", f"{facts['commit']}{' and changes' if facts['dirty'] else ''}"
    log = path / "train.jsonl"
    yield "tuned", f"{len(log.read_text().splitlines()) if log.exists() else 0} steps"
    yield "weights", "finished" if (path / "weights.safetensors").exists() else "not finished"
    index = path / "edits" / "index.json"
    for edit in json.loads(index.read_text()) if index.exists() else []:
        yield "edit", f"{edit['prompt']}  ({edit['file']})"


def _weights(path: Path) -> Iterator[tuple[str, Any]]:
    from giftune.unet.weights import read_metadata

    yield "format", f"tuned weights, {path.stat().st_size / 2**20:.1f} MiB"
    yield from read_metadata(path).items()


def _checkpoint(path: Path) -> Iterator[tuple[str, Any]]:
    index = json.loads((path / "model_index.json").read_text())
    yield "format", f"{index.get('_class_name')} in diffusers layout"
    for part in sorted(folder for folder in path.iterdir() if folder.is_dir()):
        size = sum(file.stat().st_size for file in part.rglob("*") if file.is_file())
        yield part.name, f"{size / 2**20:.1f} MiB"
    scheduler = path / "scheduler" / "scheduler_config.json"
    if scheduler.is_file():
        yield "predicts", json.loads(scheduler.read_text()).get("prediction_type", "epsilon")
