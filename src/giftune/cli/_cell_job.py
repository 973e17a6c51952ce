"""What a launcher runs for each cell, perhaps in another process."""

import io
import os
import time
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from giftune.cli._errors import explain
from giftune.cli.cell import Cell, CellFolder, Outcome
from giftune.errors import InputError

if TYPE_CHECKING:
    from omegaconf import DictConfig


@dataclass
class CellJob:
    """Runs `job` for the cell of that number and keeps what goes wrong to itself, for the others to go on."""

    job: Callable[["DictConfig"], None]
    sweep: Path
    cwd: Path
    threads: int | None
    ended: Callable[[Path, Cell], None] | None = None  # told of every cell that has come to an end
    cells: dict[int, Cell] = field(default_factory=dict)

    def __call__(self, config: "DictConfig") -> Outcome:
        from hydra.core.hydra_config import HydraConfig

        os.chdir(self.cwd)  # where relative paths are meant
        self._share_cores()
        folder = CellFolder(self.sweep, self.cells[HydraConfig.get().job.num])
        try:
            with folder.locked():
                if (outcome := folder.outcome()).state != "done":
                    outcome = self._run(config, folder)
        except (Exception, SystemExit) as error:
            outcome = _failed(folder, error)
        if self.ended is not None:
            self.ended(self.sweep, folder.cell)
        return outcome

    def _run(self, config: "DictConfig", folder: CellFolder) -> Outcome:
        from omegaconf import OmegaConf

        OmegaConf.update(config, "paths.runs", str(folder.sweep), force_add=True)
        OmegaConf.update(config, "run_name", folder.path.name, force_add=True)
        started = time.perf_counter()
        folder.begin()
        with redirect_stdout(io.StringIO()):
            self.job(config)
        folder.finish(time.perf_counter() - started)
        return folder.outcome()

    def _share_cores(self) -> None:
        if self.threads is not None:
            import torch

            torch.set_num_threads(min(self.threads, torch.get_num_threads()))


def _failed(folder: CellFolder, error: BaseException) -> Outcome:
    explained = explain(error)
    first = next(iter(str(error).splitlines()), "")
    reason = explained[0] if explained else f"{type(error).__name__}: {first}"
    details = None if explained else "".join(traceback.format_exception(error))
    with suppress(OSError, InputError):  # where nothing can be written, the reason still reaches the sweep
        folder.fail(reason, details)
    return Outcome(reason=reason)
