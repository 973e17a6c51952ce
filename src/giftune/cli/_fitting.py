"""From a clip to the method that has learnt it, in a run folder."""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from giftune.cli._build import build
from giftune.cli._locks import held
from giftune.cli._method import build_method, learns, loaded_method
from giftune.cli._optimizer import optimizer
from giftune.cli._run import settings_given
from giftune.cli._together import tell_to_tune
from giftune.cli._tracking import Tracking
from giftune.cli.provenance import provenance
from giftune.cli.run_folder import RunFolder
from giftune.errors import InputError
from giftune.io.atomic import write_text
from giftune.io.gif import write_gif
from giftune.losses.combination import WeightedSum
from giftune.methods.base import EditTask, OnProgress, Stored


@dataclass(frozen=True)
class Fitting:
    """What is to be learnt, how, and where it is kept."""

    config: Mapping[str, Any]
    task: EditTask
    prompts: list[str]
    folder: RunFolder
    owner: Mapping[str, Any]
    tracking: Tracking

    def finished_method(self, on_progress: OnProgress) -> Any:
        """The method with tuned weights: here now, or taken from a run beside this one that was tuned alike.

        One that does not learn is as it came, and nothing else remains to be done than to make the folder.
        Whatever is wrong with the settings is found out before the first file is written. Of several
        processes with the same to tune one does it, and the others wait and take its weights.
        """
        method, folder = build_method(self.config), self.folder
        if not learns(self.config):
            self._begin(**({"method": method.name} if isinstance(method, Stored) else {}))
            return method
        tune = None if folder.tuned_alike(self.owner) else self._tuning(method, on_progress)
        digest = hashlib.sha256(json.dumps(dict(self.owner), sort_keys=True).encode()).hexdigest()
        lock = Path(self.config["paths"]["cache"]) / "locks" / f"{digest}.lock"
        with held(lock, "that tunes the same"), folder.held():
            if not folder.weights.exists() and not self._take():
                (tune or self._tuning(method, on_progress))()
                return method
        method.load(folder.weights)
        return method

    def loaded_method(self) -> Any:
        return loaded_method(self.config, self.folder.weights)

    @property
    def finished(self) -> bool:
        """Whether only edits can be missing; the source is the last that is written of a folder."""
        return (self.folder.weights if learns(self.config) else self.folder.source).exists()

    def _tuning(self, method: Any, on_progress: OnProgress) -> Callable[[], None]:
        """Everything that tuning needs, made at once; the work is left for the call of the result."""
        config, folder, task = self.config, self.folder, self.task
        tuner, loss, make_optimizer = build(config["trainer"], "trainer"), self._loss(), optimizer(config)
        batch = method.prepare(task.clip, task.source_prompt)

        def tune() -> None:
            self._begin()
            started = time.perf_counter()
            tell_to_tune(folder.path)
            tuner.fit(
                method,
                batch,
                loss,
                make_optimizer,
                folder.path,
                config["seed"],
                loggers=self.tracking.start(),
                on_step=lambda step: on_progress("tuning", step, tuner.max_steps),
                preview=(lambda step: self._preview(method, step)) if self.prompts else None,
            )
            method.save(
                folder.weights, caption=task.source_prompt, steps=tuner.max_steps, seed=config["seed"]
            )
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
            print(f"tuned for {tuner.max_steps} steps in {time.perf_counter() - started:.1f} s")

        return tune

    def tune_along(self, method: Any) -> None:
        """For another process than the first, which does all the writing."""
        config, loss, make_optimizer = self.config, self._loss(), optimizer(self.config)
        batch = method.prepare(self.task.clip, self.task.source_prompt)
        tuner = build(config["trainer"], "trainer")
        tuner.fit(method, batch, loss, make_optimizer, self.folder.path, config["seed"])

    def _take(self) -> bool:
        """Whether there was another run to take weights and log from; hard links where the disk has them."""
        folder, other = self.folder, self.folder.tuned_alike(self.owner)
        if other is None:
            return False
        self._begin(tuned_in=other.path.name)
        folder.take(other)
        self.tracking.replay()
        print(f"took the weights of {other.path}, which was tuned alike")
        return True

    def _loss(self) -> WeightedSum:
        parts = build(self.config["loss"], "loss")
        for name, part in parts.items():
            if isinstance(part["weight"], bool) or not isinstance(part["weight"], int | float):
                raise InputError(f"loss.{name}.weight is {part['weight']!r}, it must be a number.")
        return WeightedSum({name: (part["module"], float(part["weight"])) for name, part in parts.items()})

    def _begin(self, **facts: str) -> None:
        """Make the run folder, with all that is known before tuning."""
        config, folder, source = self.config, self.folder, self.task.source or self.task.clip
        if "path" in config["data"]:
            here = str(Path(config["data"]["path"]).absolute())
            config = {**config, "data": {**config["data"], "path": here}}
        cache = str(Path(config["paths"]["cache"]).absolute())
        config = {**config, "paths": {**config["paths"], "cache": cache}}
        chosen = HydraConfig.get().runtime.choices["method"]
        folder.claim(self.owner, {"method": chosen, **facts, **provenance()})
        write_text(folder.config, OmegaConf.to_yaml(config))
        write_text(folder.overrides, OmegaConf.to_yaml(settings_given()))
        write_gif(source, folder.source, "best")

    def _preview(self, method: Any, step: int) -> None:
        """The first edit with the weights of the moment."""
        generator = torch.Generator().manual_seed(self.config["seed"])
        (clip,) = method.quick().edit(self.task.clip, self.prompts[:1], generator)
        self.folder.previews.mkdir(exist_ok=True)
        path = self.folder.previews / f"step-{step:05}.gif"
        write_gif(self.task.restore(clip), path, self.config["edit"]["quality"])
        self.tracking.show("preview", path, self.prompts[0], step - 1)
