"""Captions the clips of a folder that have none yet, and writes the sheet after each of them."""

import warnings
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from giftune.cli._run import plain
from giftune.data.sheet import Entry, read_sheet, write_sheet
from giftune.errors import InputError
from giftune.io.header import sniff
from giftune.io.limits import DEFAULT_LIMITS
from giftune.io.read import probe, read_clip

FRAMES = ("first", "middle", "last")


def caption(config: DictConfig) -> None:
    """Raises `InputError` before the model is loaded when an input cannot be used."""
    settings = plain(config)
    if settings["frame"] not in FRAMES:
        raise InputError(f"frame is {settings['frame']!r}, it must be one of {', '.join(FRAMES)}.")
    clips = _clips(Path(settings["path"]))
    output = Path(settings["output"] or Path(settings["path"]) / "prompts.yaml")
    if not output.parent.is_dir():
        raise InputError(f"output {output} cannot be written: its folder does not exist.")
    entries = {entry.name: entry for entry in (read_sheet(output.absolute()) if output.exists() else ())}
    names = {_known_as(name, path, entries): path for name, path in clips.items()}
    wanted = [name for name in names if settings["overwrite"] or name not in entries]
    if kept := len(names) - len(wanted):
        print(f"kept: {kept} caption{'s' * (kept != 1)} that {output} has already")
    if not wanted:
        return
    captioner = _captioner(settings)
    for name in wanted:
        words = captioner.caption(_frame(names[name], settings["frame"]))
        edits = entries[name].edits if name in entries else ()
        entries[name] = Entry(name, words, edits)
        write_sheet(entries.values(), output)
        print(f"{name}: {words}", flush=True)
    print(f"written to {output}")


def _captioner(settings: Mapping[str, Any]) -> Any:
    from giftune.backbone.captioner import load_captioner  # takes seconds to import

    return load_captioner(
        str(settings["model"]), settings["device"], settings["dtype"], bool(settings["download"])
    )


def _clips(folder: Path) -> dict[str, Path]:
    """Everything that moves in a folder, by the name that a sheet may give it: no ending where that is clear.

    Raises `InputError` without any; what cannot be read is left out with a warning.
    """
    if not folder.is_dir():
        raise InputError(f"path {folder} is not a folder.")
    found = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".") and _moves(path)]
    if not found:
        raise InputError(
            f"path {folder} has no clips: no GIF, no video, no folder with two pictures or more."
        )
    stems = Counter(_stem(path) for path in found)
    return {_stem(path) if stems[_stem(path)] == 1 else path.name: path for path in found}


def _stem(path: Path) -> str:
    return path.name if path.is_dir() else path.stem


def _moves(path: Path) -> bool:
    try:
        if path.is_file():
            sniff(path, DEFAULT_LIMITS)
    except InputError:
        return False  # the sheet itself, for example
    try:
        return probe(path).num_frames > 1
    except InputError as error:
        if path.is_file():
            warnings.warn(f"{str(error).rstrip('.')}; it is left out.", stacklevel=2)
        return False


def _known_as(name: str, path: Path, entries: Mapping[str, Entry]) -> str:
    """The name that the sheet has for this clip already."""
    return path.name if path.name in entries else name


def _frame(path: Path, which: str) -> Any:
    """One picture of a clip, "h w 3" in 8 bits."""
    total = probe(path).num_frames
    start = {"first": 0, "middle": total // 2, "last": total - 1}[which]
    return read_clip(path, num_frames=1, start=start).pixels()[0]
