"""From a clip to the method that has learnt it, in a run folder."""

import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from omegaconf import OmegaConf

from giftune.cli._build import build
from giftune.cli._run import settings_given
from giftune.cli._steps import build_method
from giftune.cli.provenance import provenance
from giftune.cli.run_folder import RunFolder
from giftune.errors import InputError
from giftune.io.atomic import write_text
from giftune.io.gif import write_gif
from giftune.losses.combination import WeightedSum
from giftune.methods.base import EditTask, OnProgress


@dataclass(frozen=True)
class Fitting:
    """What is to be learnt, how, and where it is kept."""

    config: Mapping[str, Any]
    task: EditTask
    prompts: list[str]
    folder: RunFolder
    owner: Mapping[str, Any]

    def finished_method(self, on_progress: OnProgress) -> Any:
        """The method with tuned weights, from the run folder if they are there.

        Whatever is wrong with the settings is found out before the first file is written.
        """
        config, folder, task = self.config, self.folder, self.task
        if folder.weights.exists():
            method = build_method(config, folder)
            method.load(folder.weights)
            return method
        tuner, loss, make_optimizer = build(config["trainer"], "trainer"), self._loss(), self._optimizer()
        loggers = build(config.get("logger") or {}, "logger")
        method = build_method(config, folder)
        batch = method.prepare(task.clip, task.source_prompt)
        self._begin()
        started = time.perf_counter()
        tuner.fit(
            method,
            batch,
            loss,
            make_optimizer,
            folder.path,
            config["seed"],
            loggers=[make(save_dir=str(folder.path)) for make in loggers.values()],
            on_step=lambda step: on_progress("tuning", step, tuner.max_steps),
            preview=(lambda step: self._preview(method, step)) if self.prompts else None,
        )
        method.save(folder.weights, caption=task.source_prompt, steps=tuner.max_steps, seed=config["seed"])
        shutil.rmtree(folder.checkpoints, ignore_errors=True)
        print(f"tuned for {tuner.max_steps} steps in {time.perf_counter() - started:.1f} s")
        return method

    def _loss(self) -> WeightedSum:
        parts = build(self.config["loss"], "loss")
        for name, part in parts.items():
            if isinstance(part["weight"], bool) or not isinstance(part["weight"], int | float):
                raise InputError(f"loss.{name}.weight is {part['weight']!r}, it must be a number.")
        return WeightedSum({name: (part["module"], float(part["weight"])) for name, part in parts.items()})

    def _optimizer(self) -> Any:
        make_optimizer = build(self.config["optimizer"], "optimizer")
        try:
            make_optimizer([torch.nn.Parameter(torch.zeros(1))])
        except (TypeError, ValueError) as error:
            raise InputError(f"optimizer cannot be made: {error}.") from error
        return make_optimizer

    def _begin(self) -> None:
        """Make the run folder, with all that is known before tuning."""
        config, folder, source = self.config, self.folder, self.task.source or self.task.clip
        if "path" in config["data"]:
            here = str(Path(config["data"]["path"]).absolute())
            config = {**config, "data": {**config["data"], "path": here}}
        folder.claim(self.owner, provenance())
        write_text(folder.config, OmegaConf.to_yaml(config))
        write_text(folder.overrides, OmegaConf.to_yaml(settings_given()))
        write_gif(source, folder.path / "source.gif", "best")

    def _preview(self, method: Any, step: int) -> None:
        """The first edit with the weights of the moment."""
        generator = torch.Generator().manual_seed(self.config["seed"])
        (clip,) = method.quick().edit(self.task.clip, self.prompts[:1], generator)
        self.folder.previews.mkdir(exist_ok=True)
        path = self.folder.previews / f"step-{step:05}.gif"
        write_gif(self.task.restore(clip), path, self.config["edit"]["quality"])
