"""A job in several processes: who does what.

The first process does all that a job alone does. Before it tunes or draws it tells the others, which tune
along and draw their share of the prompts. Scores are measured by the first, on all edits.
"""

import os
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from giftune.backbone.placement import resolve_device
from giftune.cli._run import plain
from giftune.cli.edits import Edits
from giftune.errors import InputError
from giftune.methods.base import Editor, EditTask, OnProgress
from giftune.training.ranks import Ranks, here, join, leave

if TYPE_CHECKING:
    from omegaconf import DictConfig

TUNE, DRAW = "tune", "draw"


def run_together(config: "DictConfig", job: Callable[["DictConfig"], None]) -> None:
    """In this process alone, in new ones, or with others that torchrun has started."""
    from omegaconf import OmegaConf

    count = _count(config)
    if count == 1:
        return job(config)
    OmegaConf.update(config, "trainer.processes", count)  # what is tuned depends on it
    if "RANK" in os.environ:
        return run_as_rank(config)
    from giftune.cli._workers import launch

    return launch(config, count)


def run_as_rank(config: "DictConfig") -> None:
    first, other = _roles(config)
    device = resolve_device(config.backbone.device)
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    ranks = join(device.type)
    if ranks.first:
        first(config)
        ranks.tell(None)
    else:
        with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
            other(plain(config), ranks)
    leave()


def _roles(config: "DictConfig") -> tuple[Callable[["DictConfig"], None], Callable[..., None]]:
    """What the first process does, and the others."""
    if str(config.trainer.get("_target_")).endswith(".ClipTrainer"):
        from giftune.cli._training import train_along, train_on_clips

        return train_on_clips, train_along
    from giftune.cli._tuning import tune_and_edit

    return tune_and_edit, _follow


def tell_to_tune(folder: Path) -> None:
    here().tell((TUNE, folder, []))


def draw(
    method: Editor, task: EditTask, edits: Edits, prompts: Sequence[str], on_progress: OnProgress
) -> None:
    """Each process its share of the prompts; the first one enters them all in the index."""
    ranks = here()
    if ranks.count == 1:
        return edits.draw(method, task, prompts, on_progress)
    shares = [edits.share(rank) for rank in range(1, ranks.count)]
    for left_over in shares:
        left_over.unlink(missing_ok=True)
    ranks.tell((DRAW, edits.folder.parent, list(prompts)))
    edits.draw(method, task, prompts[:: ranks.count], on_progress)
    ranks.wait()
    return edits.join(shares, prompts)


def _follow(config: dict[str, Any], ranks: Ranks) -> None:
    from giftune.cli._fitting import Fitting
    from giftune.cli._method import build_method, learns
    from giftune.cli._steps import edit_settings, read_task
    from giftune.cli._tracking import Tracking
    from giftune.cli.run_folder import RunFolder

    task, method, learnt = read_task(config), build_method(config), not learns(config)
    while (order := ranks.hear()) is not None:
        what, path, prompts = order
        folder = RunFolder(path)
        if what == TUNE:
            Fitting(config, task, [], folder, {}, Tracking({}, folder)).tune_along(method)
        else:
            if not learnt:
                method.load(folder.weights)
            edits = Edits(folder.edits, edit_settings(config))
            edits.index = edits.share(ranks.rank)
            edits.draw(method, task, prompts[ranks.rank :: ranks.count])
            ranks.wait()
        learnt = True


def _count(config: "DictConfig") -> int:
    """As many as `trainer.processes` says; None is one per GPU, or as many as torchrun has started."""
    wanted = config.trainer.get("processes", 1)
    if isinstance(wanted, bool) or not isinstance(wanted, int | None) or (wanted is not None and wanted < 1):
        raise InputError(f"trainer.processes is {wanted!r}, it must be a whole number from 1, or null.")
    if wanted != 1 and "RANK" in os.environ:
        return int(os.environ["WORLD_SIZE"])
    on_gpus = wanted != 1 and resolve_device(config.backbone.device).type == "cuda"
    gpus = torch.cuda.device_count() if on_gpus else 0
    if wanted is None and not gpus:
        raise InputError("trainer.processes is null, one per GPU, but there is none; try trainer=ddp_cpu.")
    if on_gpus and wanted is not None and wanted > gpus:
        raise InputError(f"trainer.processes is {wanted}, but there are only {gpus} GPUs.")
    return gpus if wanted is None else wanted
