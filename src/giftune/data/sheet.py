"""Prompt sheets: for each clip a caption, and edits of which each has a type."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from giftune.errors import InputError
from giftune.io.atomic import write_text

TYPES = ("object", "background", "style", "multiple")  # Tune-A-Video's; the last is several at once
SHIPPED = Path(__file__).with_name("sheets")


class Edit(NamedTuple):
    prompt: str
    type: str


class Entry(NamedTuple):
    """A clip by its name on disk."""

    name: str
    caption: str
    edits: tuple[Edit, ...]

    @property
    def prompts(self) -> tuple[str, ...]:
        return tuple(edit.prompt for edit in self.edits)

    @property
    def types(self) -> dict[str, str]:
        return {edit.prompt: edit.type for edit in self.edits}


def read_sheet(path: str | Path, beside: str | Path = "") -> tuple[Entry, ...]:
    """Entries in the sheet's order; `path` is a YAML file, or the name of a sheet that ships with giftune.

    A relative path is looked for in the folder `beside` first. The file holds
    `clips: {NAME: {caption: ..., edits: [{prompt: ..., type: ...}, ...]}, ...}`. Raises `InputError` for
    anything else, and as `entry` does.
    """
    places = (SHIPPED / f"{path}.yaml", Path(beside) / path, Path(path))
    path = next((place for place in places if place.is_file()), Path(path))
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in SHIPPED.glob("*.yaml")))
        raise InputError(f"sheet {path} does not exist; the sheets that ship with giftune are: {known}.")
    try:
        content = OmegaConf.to_container(OmegaConf.load(path))  # refuses a name that comes twice
    except Exception as error:  # YAML has many ways to be wrong
        raise InputError(f"sheet {path} cannot be read: {' '.join(str(error).split())}.") from error
    clips = content.get("clips") if isinstance(content, dict) else None
    if not isinstance(clips, dict) or not clips:
        raise InputError(
            f"sheet {path} has no clips: it must be of the form clips: {{NAME: {{caption: ...}}}}."
        )
    return tuple(_read(f"sheet {path}", str(name), value) for name, value in clips.items())


def write_sheet(entries: Iterable[Entry], path: str | Path) -> None:
    """Write what `read_sheet` reads."""
    clips = {
        entry.name: {"caption": entry.caption, "edits": [edit._asdict() for edit in entry.edits]}
        for entry in entries
    }
    write_text(path, OmegaConf.to_yaml({"clips": clips}))


def entry(where: str, name: str, caption: Any, edits: Iterable[tuple[Any, Any]]) -> Entry:
    """A checked entry with its (prompt, type) pairs; `where` begins the sentence of what is wrong.

    Raises `InputError` for a name that is none, an empty caption, an edit without prompt or of an unknown
    type, and a prompt that comes twice.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise InputError(f"{where} has a clip {name!r}, a name must be that of a file or folder.")
    if not isinstance(caption, str) or not caption.strip():
        raise InputError(f"{where} has no caption for {name}, it must say what the clip shows.")
    checked: list[Edit] = []
    for number, (prompt, kind) in enumerate(edits, start=1):
        if not isinstance(prompt, str) or not prompt.strip():
            raise InputError(f"{where} has no prompt in edit {number} of {name}.")
        if kind not in TYPES:
            raise InputError(
                f"{where} has type {kind!r} in edit {number} of {name}, it must be one of {', '.join(TYPES)}."
            )
        if prompt.strip() in (edit.prompt for edit in checked):
            raise InputError(f"{where} asks twice for {prompt.strip()!r} of {name}.")
        checked.append(Edit(prompt.strip(), kind))
    return Entry(name, caption.strip(), tuple(checked))


def _read(where: str, name: str, value: Any) -> Entry:
    _require_keys(f"{where}: {name}", value, ("caption", "edits"))
    edits = value.get("edits") or []
    if not isinstance(edits, list):
        raise InputError(f"{where} has edits of {name} that are no list.")
    for number, edit in enumerate(edits, start=1):
        _require_keys(f"{where}: edit {number} of {name}", edit, ("prompt", "type"))
    pairs = [(edit.get("prompt"), edit.get("type")) for edit in edits]
    return entry(where, name, value.get("caption"), pairs)


def _require_keys(where: str, value: Any, known: tuple[str, ...]) -> None:
    if not isinstance(value, Mapping):
        raise InputError(f"{where} is {value!r}, it must have {' and '.join(known)}.")
    for key in value:
        if key not in known:
            raise InputError(f"{where} has {key!r}, known are {' and '.join(known)}.")
