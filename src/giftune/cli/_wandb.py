"""One W&B run per run folder: its name and group, where it writes, and what it must not tell."""

import json
import os
import secrets
import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from giftune.errors import InputError
from giftune.io.atomic import write_text

MODES = ("offline", "online", "disabled")


def require(config: Mapping[str, Any]) -> None:
    """Raise `InputError` for an unknown mode, and where W&B would ask for a login."""
    mode = config.get("mode")
    if mode not in MODES:
        raise InputError(f"logger.wandb.mode is {mode!r}, it must be one of {', '.join(MODES)}.")
    if mode != "online":
        return
    import wandb

    _quiet()
    try:
        known = wandb.login(prompt=False, verify=False)
    except wandb.Error as error:
        raise InputError(f"logger.wandb.mode is online, but the login is of no use: {error}.") from error
    if not known:
        raise InputError(
            "logger.wandb.mode is online, but nobody is logged in: run `wandb login`, set WANDB_API_KEY, "
            "or leave it offline."
        )


def start(make: partial[Any], folder: Path) -> Any:
    """The Lightning logger of a cell, with its W&B run begun, or taken up again after an interruption."""
    cell = _cell(folder)
    facts = {"name": cell.get("name", folder.name), "group": cell.get("sweep"), "tags": _tags()}
    return begin(make, folder, **facts)


def begin(make: partial[Any], folder: Path, **facts: Any) -> Any:
    """Raises `InputError` if W&B refuses, or cannot be reached while online."""
    import wandb

    _quiet()
    logger = make(save_dir=str(folder), id=_id(folder), settings=_settings(), **facts)
    try:
        run = logger.experiment
    except wandb.Error as error:
        raise InputError(
            f"logger.wandb.mode is online, but W&B failed: {str(error).splitlines()[0]}; "
            "offline needs no network, and `wandb sync` uploads later."
        ) from error
    if make.keywords["mode"] == "online":
        print(f"W&B shows this run at {run.url}")
    return logger


def table(columns: list[str | int], rows: list[list[Any]]) -> Any:
    """Only a file of the run: W&B's own kind is also an artifact, which names the user's home."""
    import wandb

    class FileTable(wandb.Table):
        _log_type = "table-file"

    return FileTable(columns=columns, data=rows, allow_mixed_types=True)


def tidy(folder: Path) -> None:
    """Forget W&B's own diagnostics, which name the folders of this machine."""
    for logs in folder.glob("wandb/*/logs"):
        shutil.rmtree(logs, ignore_errors=True)


def _cell(folder: Path) -> dict[str, Any]:
    """What a sweep says about its cell; empty for a run of its own."""
    path = folder / "cell.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _id(folder: Path) -> str:
    """Kept in the run folder, so that an interrupted run goes on; an agent of a W&B sweep brings its own."""
    if "WANDB_SWEEP_ID" in os.environ:
        return os.environ["WANDB_RUN_ID"]
    path = folder / "wandb" / "id"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, secrets.token_hex(4))
    return path.read_text()


def _tags() -> list[str]:
    """Names of the chosen method, backbone and ablation."""
    from hydra.core.hydra_config import HydraConfig

    choices = HydraConfig.get().runtime.choices if HydraConfig.initialized() else {}
    return [str(choices[group]) for group in ("method", "backbone", "ablation") if choices.get(group)]


def _quiet() -> None:
    import wandb

    wandb.setup(wandb.Settings(silent=True))


def _settings() -> Any:
    """Nothing about this machine, its user, its code or its repository; nothing printed."""
    import wandb

    return wandb.Settings(
        silent=True,
        console="off",
        disable_git=True,
        disable_code=True,
        save_code=False,
        disable_job_creation=True,
        x_disable_meta=True,
        x_disable_machine_info=True,
        x_disable_stats=True,
        x_save_requirements=False,
        x_executable="python",
        program="giftune",
        host="giftune",
        username="giftune",
        email="",
        symlink=False,
        init_timeout=30,
    )
