"""The main job: read, tune, save, invert, edit, show, score."""

from pathlib import Path

from omegaconf import DictConfig

from giftune.cli._drawing import draw_and_score
from giftune.cli._fitting import Fitting
from giftune.cli._method import offered_prompts
from giftune.cli._progress import Bars
from giftune.cli._prompts import read_prompts
from giftune.cli._run import plain
from giftune.cli._steps import edit_settings, read_task, source_hash
from giftune.cli._tracking import Tracking
from giftune.cli.run_folder import RunFolder, identity, name_of


def tune_and_edit(composed: DictConfig) -> None:
    """What is finished already is not repeated; with nothing left to do no model is loaded."""
    config = plain(composed)
    given = read_prompts(config["edit"], "edit.")
    edit_settings(config)  # refuses what edits cannot be drawn with
    task = read_task(config)
    prompts = given or list(task.prompts) or offered_prompts(config, task.clip)
    owner = identity(config, source_hash(task), task.source_prompt)
    name = config["run_name"] or name_of((task.source or task.clip).name, owner)
    folder = RunFolder(Path(config["paths"]["runs"]) / name)
    folder.require(owner)
    with Tracking(config, folder) as tracking:
        fitting = Fitting(config, task, prompts, folder, owner, tracking)
        with Bars() as bars:
            method = None if fitting.finished else fitting.finished_method(bars)
        if draw_and_score(config, folder, task, prompts, lambda: method or fitting.loaded_method()):
            tracking.results(task, config["trainer"]["max_steps"])
