"""A sweep: Hydra makes the cells and launches them; each is a whole run in the sweep's folder."""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from giftune.cli._cell_job import CellJob
from giftune.cli._comparison import log_comparison
from giftune.cli._objective import read_objective
from giftune.cli._overview import Progress, show
from giftune.cli._run import ROOT, options, plain, set_environment
from giftune.cli.cell import Cell, Outcome
from giftune.cli.run_folder import flatten
from giftune.cli.sweep_folder import SweepFolder
from giftune.errors import InputError

if TYPE_CHECKING:
    from hydra._internal.hydra import Hydra
    from omegaconf import DictConfig

Job = Callable[["DictConfig"], None]
Compose = Callable[[Sequence[str]], "DictConfig"]  # the configuration of a cell, from all of its settings
MEASURING = ("networks.", "metric.")
SHOWING = {"-c", "--cfg", "--info", "--hydra-help"}
# What may differ between two commands of one sweep: where, how fast, who watches; `recommended` is in others.
ELSEWHERE = {
    "clips",
    "dry_run",
    "edit.batch_size",
    "estimate",
    "hydra",
    "logger",
    "method.batch_size",
    "method.cache",
    "method.compile",
    "method.gradient_checkpointing",
    "methods",
    "objective",
    "paths",
    "recommended",
    "retry",
    "run_name",
    "seeds",
    "sweep_name",
    "trainer.checkpoint_every",
    "trainer.preview_every",
    "trainer.workers",
}


def is_sweep(command: str, settings: Sequence[str]) -> bool:
    """Whether several runs are asked for, by -m or by a file of sweeps/."""
    from hydra.types import RunMode

    if given := options(settings):
        return not given & SHOWING
    with opened_hydra(command) as hydra:
        return hydra.get_mode(command, list(settings)) == RunMode.MULTIRUN


class Watch:
    """What is done around a sweep: nothing before it, and a table of its cells at its end."""

    naming: Sequence[str] = ()  # settings that name a cell even where they have only one value
    # where a cell runs, when it has ended: its sweep's folder, and which it is
    ended: Callable[[Path, Cell], None] | None = None

    def begin(self, sweep: SweepFolder, launcher: Mapping[str, Any], compose: Compose) -> bool:
        """Whether to go on; the folder is held, and nothing has been launched."""
        return True

    def end(self, sweep: SweepFolder, cells: Sequence[Cell], outcomes: Sequence[Outcome]) -> None:
        show(sweep.path, cells, outcomes)


def run_sweep(command: str, settings: Sequence[str], job: Job, watch: Watch | None = None) -> int:
    """Exit status 1 when a cell failed; raises `InputError` before anything is written if none can run."""
    from hydra._internal.callbacks import Callbacks
    from hydra.core.plugins import Plugins
    from hydra.types import HydraContext, RunMode
    from omegaconf import read_write

    from giftune.cli._launching import Cells, at_once

    with opened_hydra(command) as hydra:
        config = hydra.compose_config(command, _overrides(settings), RunMode.MULTIRUN)
        watch = watch or Watch()
        swept = list(dict.fromkeys([*watch.naming, *_swept(hydra, config)]))
        sweep = _folder(hydra, config, swept)
        wanted = read_objective(_plain(config.get("objective")))
        sweep.require()
        batch_size, threads = at_once(config.hydra.launcher)
        cell_job = CellJob(job, sweep.path, Path.cwd(), threads, watch.ended)
        with read_write(config.hydra.sweep):
            config.hydra.sweep.dir = str(sweep.path)
        context = HydraContext(config_loader=hydra.config_loader, callbacks=Callbacks())
        sweeper: Any = Plugins.instance().instantiate_sweeper(
            hydra_context=context, task_function=cell_job, config=config
        )
        owner = getattr(sweeper, "sweeper", sweeper)  # Optuna's is inside of a shell
        progress = Progress(config.hydra.sweeper.get("n_trials") or 0)
        retried = {"missing", "failed"} if config.get("retry", True) else {"missing"}
        cells = Cells(owner.launcher, cell_job, sweep, swept, batch_size, progress, wanted, retried)
        owner.launcher = cells
        with sweep.locked():
            compose = partial(hydra.config_loader.load_sweep_config, config)
            if not watch.begin(sweep, config.hydra.launcher, compose):
                return 0
            sweep.record([])
            sweeper.sweep(arguments=list(config.hydra.overrides.task))
            outcomes = [cells.outcome(cell) for cell in cells.planned]
            watch.end(sweep, cells.planned, outcomes)
    if progress.here:
        log_comparison(sweep.path, plain(config.logger))
    return int(any(outcome.state != "done" for outcome in outcomes))


@contextmanager
def opened_hydra(command: str) -> Iterator["Hydra"]:
    from hydra import initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    set_environment()
    with initialize_config_dir(str(ROOT / "conf"), command, version_base="1.3"):
        found = GlobalHydra.instance().hydra
        assert found is not None
        yield found


def _overrides(settings: Sequence[str]) -> list[str]:
    return [setting for setting in settings if not setting.startswith("-")]


def _swept(hydra: "Hydra", config: "DictConfig") -> list[str]:
    """The settings that name a cell: all in the sweep's file, then those with several values here."""
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parser = OverridesParser.create(config_loader=hydra.config_loader)
    given = parser.parse_overrides(list(config.hydra.overrides.task))
    keys = [
        *(config.hydra.sweeper.get("params") or {}),
        *(o.get_key_element() for o in given if o.is_sweep_override()),
    ]
    if "sweeps" in keys:
        raise InputError("sweeps takes one name: its file is a whole sweep.")
    return list(dict.fromkeys(keys))


def _folder(hydra: "Hydra", config: "DictConfig", swept: Sequence[str]) -> SweepFolder:
    given = {setting.partition("=")[0]: setting for setting in config.hydra.overrides.task}
    # data.path= can be composed only with the data= that it belongs to, which the cells say
    inside = [key for key in given if key.startswith(tuple(f"{group}." for group in swept))]
    fixed = [setting for key, setting in given.items() if key not in (*swept, *inside)]
    shared = hydra.config_loader.load_sweep_config(config, fixed)
    start = _start(shared, [key.lstrip("+") for key in swept])
    start |= {key: given[key].partition("=")[2] for key in inside if key not in swept}
    name = config.sweep_name or shared.hydra.runtime.choices.get("sweeps") or _default_name(swept, start)
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", str(name)):
        raise InputError(f"sweep_name is {name!r}, it may have letters, digits and . _ - only.")
    return SweepFolder(Path(config.paths.runs) / str(name), start)


def _plain(value: Any) -> Any:
    from omegaconf import OmegaConf

    return OmegaConf.to_container(value) if OmegaConf.is_config(value) else value


def _default_name(swept: Sequence[str], start: Mapping[str, Any]) -> str:
    words = "-".join(re.sub(r"[^A-Za-z0-9_]", "", key.rpartition(".")[2]) for key in swept)
    return f"{words or 'one'}-{hashlib.sha256(json.dumps(start, sort_keys=True).encode()).hexdigest()[:8]}"


def _start(shared: "DictConfig", swept: Sequence[str]) -> dict[str, Any]:
    """What all cells start from, by dotted name, without what they vary and what follows from it."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    without = ELSEWHERE | set(swept)
    found, referring = {}, set()
    for name, raw in flatten(OmegaConf.to_container(shared)):
        parents = {name} | {name[:i] for i, character in enumerate(name) if character == "."}
        follows = isinstance(raw, str) and any(f"${{{key}}}" in raw for key in swept)
        if without & parents or follows or name.rpartition(".")[2] in ("device", "download"):
            continue
        try:
            value = OmegaConf.select(shared, name)
        except OmegaConfBaseException:  # it refers to what only the cells say
            value = raw
        if not isinstance(raw, str) or not OmegaConf.is_config(value):  # a part that is listed by itself
            referring |= {name} if isinstance(raw, str) and "${" in raw else set()
            found[name] = _plain(value)
    # as a difference explains itself best: first what is said, then what measures, then what refers to either
    return dict(sorted(found.items(), key=lambda item: (item[0] in referring, item[0].startswith(MEASURING))))
