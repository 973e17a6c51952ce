"""Composes a command's configuration with Hydra and runs its job."""

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import giftune
from giftune.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig

_PACKAGE = Path(giftune.__file__).parent
_BUNDLED = _PACKAGE / "_bundled"
# conf/ and sweeps/ are at the top of a checkout, and inside the package when it was installed from a wheel.
ROOT = _BUNDLED if _BUNDLED.is_dir() else _PACKAGE.parents[1]
FLAGS = {"-m", "--multirun", "-c", "--cfg", "-p", "--package", "--resolve", "--hydra-help", "--info"}


def run(command: str, settings: Sequence[str], job: Callable[["DictConfig"], None]) -> int:
    """Raises what `job` raises, and Hydra's own errors as they are."""
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    options(settings)
    failures: list[Exception] = []

    def task(config: "DictConfig") -> None:
        try:
            job(config)
        except Exception as error:
            if HydraConfig.get().mode == RunMode.MULTIRUN:
                raise
            failures.append(error)  # raised below, for Hydra would print its own report first

    set_environment()
    ordered = sorted(settings, key=lambda setting: "=" in setting)  # Hydra wants its options together
    arguments, sys.argv = sys.argv, [f"giftune {command}", *ordered]
    try:
        hydra.main(version_base="1.3", config_path=str(ROOT / "conf"), config_name=command)(task)()
    finally:
        sys.argv = arguments
    if failures:
        raise failures[0]
    return 0


def options(settings: Sequence[str]) -> set[str]:
    """Those that are no NAME=VALUE; raises `InputError` for an unknown one."""
    given = {setting.partition("=")[0] for setting in settings if setting.startswith("-")}
    for option in sorted(given - FLAGS):
        full = next(setting for setting in settings if setting.partition("=")[0] == option)
        raise InputError(f"{full} is not an option: settings are given as name=value.")
    return given


def set_environment() -> None:
    """For Hydra here and in the processes that a launcher starts."""
    os.environ["GIFTUNE_ROOT"] = str(ROOT)  # where sweeps/ is, whatever the working directory
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors arrive here instead of being printed


def plain(config: "DictConfig") -> dict[str, Any]:
    """The configuration with every reference resolved, as plain types."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(config, resolve=True, throw_on_missing=True)  # type: ignore[return-value]


def settings_given() -> list[str]:
    """The settings of the command line, for the record."""
    from hydra.core.hydra_config import HydraConfig

    return list(HydraConfig.get().overrides.task)
