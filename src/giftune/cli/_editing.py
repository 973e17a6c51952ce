"""More edits from a run folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from giftune.benchmark.stages import Stages
from giftune.cli._drawing import draw_and_score
from giftune.cli._method import learns, loaded_method
from giftune.cli._prompts import read_prompts
from giftune.cli._run import plain
from giftune.cli._steps import edit_settings, read_task, source_hash
from giftune.cli.run_folder import RunFolder
from giftune.errors import InputError


def edit_run(composed: DictConfig) -> None:
    given = plain(composed)
    folder = RunFolder(Path(given["run"]))
    owner = folder.identity()
    if "caption" not in owner:
        raise InputError(
            f"run {folder.path} was trained on many clips and has none to edit: say giftune tune "
            f"method={folder.method()} method.weights={folder.weights}."
        )
    config = _updated(_read(folder), given)
    if learns(config) and not folder.weights.exists():
        raise InputError(
            f"run {folder.path} is not tuned to the end: repeat its `giftune tune` command first."
        )
    prompts = read_prompts(given, "")
    if not prompts:
        raise InputError(
            "prompts is empty: say prompts='[\"a dog is running\"]' or prompts_file=prompts.txt."
        )
    edit_settings(config)  # refuses what edits cannot be drawn with
    task = read_task(config)
    if source_hash(task) != owner["source clip"]:
        raise InputError(
            f"{config['data'].get('path', 'the clip')} is not the clip that {folder.path} was tuned on."
        )
    draw_and_score(config, folder, task, prompts, lambda: loaded_method(config, folder.weights), Stages())


def _read(folder: RunFolder) -> dict[str, Any]:
    try:
        config = plain(OmegaConf.load(folder.config))  # type: ignore[arg-type]
        needed = {name: config[name] for name in ("seed", "backbone", "method", "data", "edit")}
        cache = Path(config.get("paths", {}).get("cache", ""))  # the run may have been moved since
        if "cache" in config["method"]:
            needed["method"]["cache"] = str(cache if cache.is_dir() else folder.path.parent / ".cache")
        return needed | {"metric": config.get("metric")}
    except Exception as error:  # YAML has many ways to be wrong
        raise InputError(f"{folder.config} cannot be read: {' '.join(str(error).split())}.") from error


def _updated(config: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The run's configuration with what was given instead; inversion takes as many steps as sampling.

    A sampler brings a number of steps of its own, in `edit.num_steps`.
    """
    new = dict(given.get("edit", {}))
    new |= {name: given[name] for name in ("num_steps", "guidance", "batch_size") if given[name] is not None}
    if "sampler" in given:
        if "solver" not in config["method"]:
            raise InputError("sampler is given, but the method of this run has only its own.")
        new["solver"] = given["sampler"]
    if "num_steps" in new and config["method"].get("inversion_steps") is not None:
        new["inversion_steps"] = new["num_steps"]
    for name in new.keys() - config["method"].keys():
        raise InputError(f"{name} is {new[name]!r}, but the method of this run has no such setting.")
    config["method"] |= new
    if not given["score"]:
        config["metric"] = {}
    config["edit"] |= {"quality": given["quality"] or config["edit"]["quality"]}
    config["seed"] = config["seed"] if given["seed"] is None else given["seed"]
    if given["source"] is not None:
        config["data"] |= {"path": given["source"]}
    return config
