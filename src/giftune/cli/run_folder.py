"""The folder of one run: what belongs into it, and whether it is ours."""

import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from giftune.errors import InputError
from giftune.io.atomic import write_json

# What the tuned weights depend on, besides the clip and its caption ...
TUNING = ("seed", "backbone", "method", "loss", "optimizer", "trainer")
# ... except for these, which only say where, how fast, or how edits are drawn.
WITHOUT_EFFECT = {
    "backbone.device",
    "method.batch_size",
    "method.cache",
    "method.gradient_checkpointing",
    "method.guidance",
    "method.inversion_steps",
    "method.num_steps",
    "trainer.checkpoint_every",
    "trainer.preview_every",
}


def identity(config: Mapping[str, Any], source: str, caption: str) -> dict[str, Any]:
    """Everything that the tuned weights depend on, by dotted name."""
    flat = dict(_flatten({key: config[key] for key in TUNING}))
    kept = {name: value for name, value in flat.items() if name not in WITHOUT_EFFECT}
    return {"source clip": source, "caption": caption, **kept}


def name_of(clip_name: str, identity: Mapping[str, Any]) -> str:
    """The clip's name, made safe, and eight digits that differ when anything in `identity` does."""
    stem = re.sub(r"[^A-Za-z0-9_]+", "-", clip_name).strip("-")[:40] or "clip"
    return f"{stem}-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class RunFolder:
    """Paths inside a run folder; the file of weights appears when tuning is finished."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.yaml"

    @property
    def overrides(self) -> Path:
        return self.path / "overrides.yaml"

    @property
    def provenance(self) -> Path:
        return self.path / "provenance.json"

    @property
    def weights(self) -> Path:
        return self.path / "weights.safetensors"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def inversions(self) -> Path:
        return self.path / "inversions"

    @property
    def edits(self) -> Path:
        return self.path / "edits"

    @property
    def sheet(self) -> Path:
        return self.path / "contact_sheet.png"

    @property
    def comparison(self) -> Path:
        return self.path / "side_by_side.gif"

    @property
    def previews(self) -> Path:
        return self.path / "previews"

    def require(self, identity: Mapping[str, Any]) -> None:
        """Raise `InputError` if the folder cannot be written or holds something else; writes nothing."""
        existing = next(parent for parent in (self.path, *self.path.absolute().parents) if parent.exists())
        if not existing.is_dir():
            raise InputError(f"run folder {self.path} cannot be made: {existing} is not a folder.")
        if not os.access(existing, os.W_OK | os.X_OK):
            raise InputError(f"run folder {self.path} cannot be written: {existing} is not writable.")
        if not self.path.exists() or not any(self.path.iterdir()):
            return
        if not self.provenance.is_file():
            raise InputError(f"run folder {self.path} holds other files; choose another run_name=.")
        if (difference := _difference(self.identity(), identity)) is not None:
            name, before, now = difference
            raise InputError(
                f"run folder {self.path} belongs to another run: its {name} is {before!r}, here {now!r}; "
                "choose another run_name= or leave it out."
            )

    def identity(self) -> dict[str, Any]:
        """What `claim` wrote; raises `InputError` if this is no run folder."""
        try:
            return json.loads(self.provenance.read_text())["identity"]
        except (OSError, ValueError, KeyError) as error:
            raise InputError(f"{self.path} is not a run folder: {self.provenance} cannot be read.") from error

    def claim(self, identity: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Make the folder, and this run its owner; raises `InputError` where that is impossible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"run folder {self.path} cannot be made: {error.strerror}.") from error
        if not self.provenance.exists():
            write_json(self.provenance, {"identity": dict(identity), **provenance})


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from _flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    now = json.loads(json.dumps(now))
    for name in (*before, *now):
        if before.get(name) != now.get(name):
            return name, before.get(name), now.get(name)
    return None
