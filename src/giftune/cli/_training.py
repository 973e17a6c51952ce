"""From clips to the weights of a method that learns from many, in a run folder."""

import hashlib
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from giftune.cli._build import build, locate
from giftune.cli._method import build_method
from giftune.cli._optimizer import optimizer
from giftune.cli._progress import Bars
from giftune.cli._prompts import read_prompts
from giftune.cli._run import plain, settings_given
from giftune.cli._steps import edit_settings
from giftune.cli._tracking import Tracking
from giftune.cli.provenance import provenance
from giftune.cli.run_folder import WITHOUT_EFFECT, RunFolder, flatten, name_of
from giftune.data.clip_source import ClipSource
from giftune.data.clip_stream import ClipStream
from giftune.errors import InputError
from giftune.io.atomic import write_text
from giftune.io.gif import write_gif
from giftune.methods.base import Editor, OnProgress
from giftune.training.ranks import Ranks, here
from giftune.training.skipped import counted, read_skipped

# What the trained weights depend on, besides the clips that the table lists ...
TRAINING = ("seed", "backbone", "method", "corpus", "optimizer", "trainer")
# ... except for these, which only say where, or how fast.
SAME_WEIGHTS = WITHOUT_EFFECT | {"corpus.path", "corpus.table", "trainer.workers"}


def train_on_clips(composed: DictConfig) -> None:
    """What is finished already is not repeated, and then no model is loaded."""
    require_learner(composed)  # first: what other methods refer to is not here
    config = plain(composed)
    prompts = read_prompts(config["edit"], "edit.")
    edit_settings(config)
    source = build(config["corpus"], "corpus")
    owner = identity(config, source)
    choices = HydraConfig.get().runtime.choices
    name = config["run_name"] or name_of(f"{choices['method']}-{choices['corpus']}", owner)
    folder = RunFolder(Path(config["paths"]["runs"]) / name)
    folder.require(owner)
    with Tracking(config, folder) as tracking, Bars() as bars:
        if not folder.weights.exists():
            Training(config, source, prompts, folder, owner, tracking).run(bars)
    show(folder)


def train_along(config: Mapping[str, Any], ranks: Ranks) -> None:
    """For another process than the first, which does all the writing."""
    method, source = _learner(config), build(config["corpus"], "corpus")
    trainer, make_optimizer = build(config["trainer"], "trainer"), optimizer(config)
    while (folder := ranks.hear()) is not None:
        trainer.fit(method, _stream(config, source), make_optimizer, folder)


@dataclass(frozen=True)
class Training:
    """What is to be learnt, from what, and where it is kept."""

    config: Mapping[str, Any]
    source: ClipSource
    prompts: Sequence[str]
    folder: RunFolder
    owner: Mapping[str, Any]
    tracking: Tracking

    def run(self, on_progress: OnProgress) -> None:
        """Whatever is wrong with the settings is found out before the first file is written."""
        config, folder = self.config, self.folder
        method, trainer, make_optimizer = (
            _learner(config),
            build(config["trainer"], "trainer"),
            optimizer(config),
        )
        if trainer.preview_every and not isinstance(method, Editor):
            raise InputError(
                f"trainer.preview_every is {trainer.preview_every}, but this method draws nothing."
            )
        with folder.held():
            if folder.weights.exists():  # by another process, while we waited
                return
            self._begin()
            started = time.perf_counter()
            here().tell(folder.path)
            trainer.fit(
                method,
                self.stream,
                make_optimizer,
                folder.path,
                loggers=self.tracking.start(),
                on_step=lambda step: on_progress("training", step, trainer.max_steps),
                preview=lambda step: self._preview(method, step),
            )
            method.save(folder.weights, steps=trainer.max_steps, seed=config["seed"])
            shutil.rmtree(folder.checkpoints, ignore_errors=True)
            print(f"trained for {trainer.max_steps} steps in {time.perf_counter() - started:.1f} s")

    @cached_property
    def stream(self) -> ClipStream:
        return _stream(self.config, self.source)

    def _begin(self) -> None:
        config, folder, choices = self.config, self.folder, HydraConfig.get().runtime.choices
        chosen = {name: choices[name] for name in ("method", "corpus")}
        folder.claim(self.owner, {**chosen, **provenance()})
        write_text(folder.config, OmegaConf.to_yaml(config))
        write_text(folder.overrides, OmegaConf.to_yaml(settings_given()))

    def _preview(self, method: Editor, step: int) -> None:
        """What the weights of the moment make of the first prompt, or of the caption of the first clip."""
        example = self.stream[0]
        prompt = self.prompts[0] if self.prompts else example.caption
        generator = torch.Generator().manual_seed(self.config["seed"])
        (clip,) = method.edit(example.clip, [prompt], generator)
        self.folder.previews.mkdir(exist_ok=True)
        path = self.folder.previews / f"step-{step:06}.gif"
        write_gif(clip, path, self.config["edit"]["quality"])
        self.tracking.show("preview", path, prompt, step - 1)


def identity(config: Mapping[str, Any], source: ClipSource) -> dict[str, Any]:
    """Everything that the trained weights depend on, by dotted name."""
    flat = dict(flatten({part: config[part] for part in TRAINING}))
    kept = {name: value for name, value in flat.items() if name not in SAME_WEIGHTS}
    if config["start"] is not None:
        kept["start"] = _hash_of(Path(config["start"]))
    return {"list of clips": source.digest, **kept}


def require_learner(config: Mapping[str, Any]) -> None:
    """Raises `InputError` for a method that does not learn from many clips."""
    target = locate(config["method"]["_target_"], "method")
    if not all(hasattr(target, name) for name in ("collate", "losses")):
        chosen = HydraConfig.get().runtime.choices["method"]
        raise InputError(f"method={chosen} does not learn from many clips; try method=harivo or pix2gif.")


def require_training() -> None:
    """Raises `InputError` for an unknown training=, which Hydra passes over: not every method has one."""
    if not (hydra := GlobalHydra.instance()).is_initialized():
        return  # one of several processes, of which the one that started them has asked
    choices = HydraConfig.get().runtime.choices
    known = hydra.config_loader().get_group_options("training")
    if choices["training"] not in (choices["method"], *known):
        raise InputError(f"training={choices['training']} is not known; known are: {', '.join(known)}.")


def show(folder: RunFolder) -> None:
    """Say where everything is, and what was left out."""
    listed = folder.path / "skipped.jsonl"
    if skips := read_skipped(listed):
        print(f"skipped {counted(skips)}; {listed.name} lists them")
    print(f"results in {folder.path}:\n  {folder.weights.name}")


def _learner(config: Mapping[str, Any]) -> Any:
    method = build_method(config)
    if config["start"] is not None:
        method.start_from(Path(config["start"]))
    return method


def _hash_of(path: Path) -> str:
    if not path.is_file():
        raise InputError(f"start is {path}, which is no file; it must be trained weights.")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stream(config: Mapping[str, Any], source: ClipSource) -> ClipStream:
    return ClipStream(source, config["seed"], here().rank, here().count)
