"""The main job: read, tune, save, invert, edit, show, score."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from giftune.benchmark.stages import Stages
from giftune.cli._drawing import draw_and_score
from giftune.cli._fitting import Fitting
from giftune.cli._method import offered_prompts
from giftune.cli._progress import Bars
from giftune.cli._prompts import read_prompts
from giftune.cli._run import plain
from giftune.cli._steps import edit_settings, read_task, source_hash
from giftune.cli._tracking import Tracking
from giftune.cli.run_folder import RunFolder, identity, name_of
from giftune.methods.base import EditTask


def tune_and_edit(composed: DictConfig) -> None:
    run_task(plain(composed), Stages())


def run_task(config: Mapping[str, Any], stages: Stages) -> None:
    """What is finished already is not repeated; with nothing left to do no model is loaded."""
    read_prompts(config["edit"], "edit.")  # what is wrong with them comes before the clip is read
    edit_settings(config)  # refuses what edits cannot be drawn with
    task = read_task(config)
    prompts = prompts_of(config, task)
    owner = identity(config, source_hash(task), task.source_prompt)
    name = config["run_name"] or name_of((task.source or task.clip).name, owner)
    folder = RunFolder(Path(config["paths"]["runs"]) / name)
    folder.require(owner)
    with Tracking(config, folder) as tracking:
        fitting = Fitting(config, task, prompts, folder, owner, tracking)
        with Bars(stages) as bars:
            method = None if fitting.finished else fitting.finished_method(bars)
        if draw_and_score(config, folder, task, prompts, lambda: method or fitting.loaded_method(), stages):
            tracking.results(task, config["trainer"]["max_steps"])


def prompts_of(config: Mapping[str, Any], task: EditTask) -> list[str]:
    """Those given, else those that belong to the clip, else those of which the method has results."""
    given = read_prompts(config["edit"], "edit.")
    return given or list(task.prompts) or offered_prompts(config, task.clip)
