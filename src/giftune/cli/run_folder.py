"""The folder of one run: what belongs into it, and whether it is ours."""

import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from giftune.cli._locks import held
from giftune.cli._method import has_backbone, is_controlled, learns
from giftune.errors import InputError
from giftune.io.atomic import atomic_path, write_json

# What the tuned weights depend on, besides the clip and its caption ...
TUNING = ("seed", "backbone", "method", "loss", "optimizer", "trainer")
# ... or, where nothing is tuned, the edits ...
DRAWING = ("seed", "backbone", "method")
# ... except for these, which only say where, how fast, or how edits are drawn.
WITHOUT_EFFECT = {
    "backbone.device",
    "method.control.signal.network.device",
    "method.control.signal.network.download",
    "method.control.weights.device",
    "loss.background.module.cache",
    "loss.background.module.depth.device",
    "loss.background.module.depth.download",
    "method.batch_size",
    "method.cache",
    "method.compile",
    "method.gradient_checkpointing",
    "method.guidance",
    "method.inversion_steps",
    "method.num_steps",
    "method.solver._target_",
    "optimizer.fused",
    "trainer.checkpoint_every",
    "trainer.preview_every",
}

# What says how structure is controlled, which tuned weights may have been made without.
CONTROL = ("method.control.", "method.tune_with_control")

LOCK = ".lock"
# What a sweep says about its cell, before the run has begun or after it could not.
OF_A_SWEEP = {"cell.json", "failure.json"}


def identity(config: Mapping[str, Any], source: str, caption: str) -> dict[str, Any]:
    """Everything that the tuned weights depend on, or without tuning the edits, by dotted name."""
    parts = TUNING if learns(config) else DRAWING if has_backbone(config) else ("seed", "method")
    flat = dict(flatten({key: config[key] for key in parts}))
    kept = {name: value for name, value in flat.items() if name not in WITHOUT_EFFECT}
    if learns(config) and (not is_controlled(config) or not config["method"]["tune_with_control"]):
        kept = {name: value for name, value in kept.items() if not name.startswith(CONTROL)}
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
    def log(self) -> Path:
        return self.path / "train.jsonl"

    @property
    def records(self) -> Path:
        return self.path / "records.jsonl"

    @property
    def stages(self) -> Path:
        return self.path / "stages.json"

    @property
    def source(self) -> Path:
        return self.path / "source.gif"

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
        if not self.path.exists() or {file.name for file in self.path.iterdir()} <= {LOCK, *OF_A_SWEEP}:
            return
        if not self.provenance.is_file():
            raise InputError(f"run folder {self.path} holds other files; choose another run_name=.")
        if (difference := _difference(self.identity(), identity)) is not None:
            name, before, now = difference
            raise InputError(
                f"run folder {self.path} belongs to another run: its {name} is {before!r}, here {now!r}; "
                "choose another run_name= or leave it out."
            )

    def take(self, other: "RunFolder") -> None:
        """The weights of `other`, and how they were tuned, in the place of tuning: linked where possible."""
        for source, target in ((other.log, self.log), (other.weights, self.weights)):
            if not source.exists():  # a tuning without steps has no log
                continue
            with atomic_path(target) as temporary:
                try:
                    os.link(source, temporary)
                except OSError:
                    shutil.copyfile(source, temporary)
        shutil.rmtree(self.checkpoints, ignore_errors=True)

    def identity(self) -> dict[str, Any]:
        """What `claim` wrote; raises `InputError` if this is no run folder."""
        return self._facts()["identity"]

    def method(self) -> str:
        """The name under which the method was chosen; raises `InputError` if this is no run folder."""
        return self._facts().get("method", "giftune")

    def _facts(self) -> dict[str, Any]:
        try:
            facts = json.loads(self.provenance.read_text())
            facts["identity"]
            return facts
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.path} is not a run folder: {self.provenance} cannot be read.") from error

    def add_stages(self, new: Mapping[str, Mapping[str, int | float]]) -> None:
        """Steps, seconds and peak memory of what was done just now, added to what was done before."""
        known = json.loads(self.stages.read_text()) if self.stages.exists() else {}
        for stage, now in new.items():
            before = known.get(stage, {})
            known[stage] = {
                name: max(value, before.get(name, 0)) if name == "memory_mb" else value + before.get(name, 0)
                for name, value in now.items()
            }
        write_json(self.stages, known)

    def held(self) -> AbstractContextManager[None]:
        """For one process at a time; others wait."""
        return held(self.path / LOCK, f"in {self.path}")

    def tuned_alike(self, identity: Mapping[str, Any]) -> "RunFolder | None":
        """A finished run beside this one whose weights are those that tuning would end with."""
        for path in sorted(self.path.parent.glob("*/provenance.json")):
            other = RunFolder(path.parent)
            try:
                alike = _difference(other.identity(), identity) is None
            except InputError:
                continue
            if alike and other.weights.is_file() and other.path != self.path:
                return other
        return None

    def claim(self, identity: Mapping[str, Any], provenance: Mapping[str, Any]) -> None:
        """Make the folder, and this run its owner; raises `InputError` where that is impossible."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"run folder {self.path} cannot be made: {error.strerror}.") from error
        if not self.provenance.exists():
            write_json(self.provenance, {"identity": dict(identity), **provenance})
        self.require(identity)  # another process may have been first


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of nested mappings by dotted name."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    else:
        yield prefix, value


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    now = json.loads(json.dumps(now))
    for name in (*before, *now):
        if before.get(name) != now.get(name):
            return name, before.get(name), now.get(name)
    return None
