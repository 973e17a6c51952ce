"""The main job: read, tune, save, invert, edit, show."""

from pathlib import Path

from omegaconf import DictConfig

from giftune.cli._fitting import Fitting
from giftune.cli._progress import Bars
from giftune.cli._prompts import read_prompts
from giftune.cli._run import plain
from giftune.cli._steps import draw, edit_settings, read_task, show, source_hash
from giftune.cli.edits import Edits
from giftune.cli.run_folder import RunFolder, identity, name_of


def tune_and_edit(composed: DictConfig) -> None:
    """What is finished already is not repeated; with nothing left to do no model is loaded."""
    config = plain(composed)
    given, settings = read_prompts(config["edit"], "edit."), edit_settings(config)
    task = read_task(config)
    prompts = given or list(task.prompts)
    owner = identity(config, source_hash(task), task.source_prompt)
    name = config["run_name"] or name_of((task.source or task.clip).name, owner)
    folder = RunFolder(Path(config["paths"]["runs"]) / name)
    folder.require(owner)
    edits = Edits(folder.edits, settings)
    if not folder.weights.exists() or edits.missing(prompts):
        with Bars() as bars:
            method = Fitting(config, task, prompts, folder, owner).finished_method(bars)
            draw(method, task, edits, prompts, bars)
    show(folder, task, edits, prompts)
