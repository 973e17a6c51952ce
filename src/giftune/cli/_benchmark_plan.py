"""What a benchmark runs: every method on every clip with every seed."""

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from giftune.cli._build import build
from giftune.cli._multirun import opened_hydra
from giftune.cli._run import plain
from giftune.cli.cell import Cell
from giftune.errors import InputError

LISTS = {"methods": "method", "clips": "data.clip", "seeds": "seed"}  # and the setting of a cell


@dataclass(frozen=True)
class Plan:
    """`choices` are the settings of the cells with their values, the one that changes last at the end."""

    choices: Mapping[str, Sequence[str]]
    settings: tuple[str, ...]  # of all cells
    dry: bool
    estimated: bool

    @property
    def cells(self) -> list[Cell]:
        chosen = itertools.product(*self.choices.values())
        return [Cell(dict(zip(self.choices, values, strict=True))) for values in chosen]

    @property
    def overrides(self) -> list[str]:
        return [*self.settings, *(f"{key}={','.join(values)}" for key, values in self.choices.items())]


def read_plan(settings: Sequence[str]) -> Plan:
    """Raises `InputError` for lists that are none, and for a data set without a clip that can be used."""
    from hydra.types import RunMode

    for name, setting in LISTS.items():
        if any(given.partition("=")[0] == setting for given in settings):
            raise InputError(f"{setting} is one value, and a benchmark takes a list: {name}=[...].")
    with opened_hydra("benchmark") as hydra:
        composed = hydra.compose_config("benchmark", list(settings), RunMode.RUN)
        data_set = composed.hydra.runtime.choices["data"]
        wanted = _lists(composed)
        clips = _clips(plain(composed.data), wanted["clips"])
        name = composed.sweep_name or f"benchmark-{data_set}"
        dry, estimated = bool(composed.dry_run), bool(composed.estimate)
    choices = {"seed": [str(seed) for seed in wanted["seeds"]]}
    if clips:
        choices["data.clip"] = [quoted(clip) for clip in clips]
    choices["method"] = wanted["methods"]
    ours = [f"sweep_name={name}"]
    kept = [given for given in settings if given.partition("=")[0] not in ("sweep_name", *LISTS)]
    return Plan(choices, (*kept, *ours), dry, estimated)


def _lists(composed: Any) -> dict[str, list[Any]]:
    from omegaconf import OmegaConf

    found: dict[str, Any] = {
        name: OmegaConf.to_container(composed[name])
        if OmegaConf.is_config(composed[name])
        else composed[name]
        for name in LISTS
    }
    for name, kind in (("methods", str), ("seeds", int), ("clips", str | None)):
        value = found[name]
        alike = isinstance(value, list) and value and all(isinstance(one, kind) for one in value)
        if not alike and not (value is None and name == "clips"):
            raise InputError(f"{name} is {value!r}, it must be a list, as {name}=[{_example(name)}].")
        if value and len(set(value)) < len(value):
            raise InputError(f"{name} is {value!r}, which names one twice.")
    return found


def _example(name: str) -> str:
    return {"methods": "giftune,sdedit", "seeds": "1,2", "clips": "bear,camel"}[name]


def _clips(data: Mapping[str, Any], wanted: Sequence[str] | None) -> list[str]:
    """Names in the data set's order; none for a data set of one clip."""
    built = build(data, "data")
    names = [entry.name for entry in getattr(built, "entries", ())]
    unknown = [name for name in wanted or () if name not in names]
    if unknown:
        known = f"it must be among {', '.join(names)}" if names else "and this data set has one clip only"
        raise InputError(f"clips has {unknown[0]}, {known}.")
    return [name for name in names if wanted is None or name in wanted]


def quoted(value: str) -> str:
    """As Hydra reads it back: quoted where it has signs of its grammar, or would be no text."""
    plain_word = re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]*", value)
    if plain_word and value.lower() not in ("true", "false", "null", "nan", "inf"):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
