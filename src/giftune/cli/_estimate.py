"""What a run will take on this machine, from one like it with very few steps."""

import io
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from giftune.benchmark import memory
from giftune.benchmark.stages import Stages
from giftune.cli._steps import read_task
from giftune.cli._tuning import prompts_of, run_task
from giftune.errors import InputError

TUNING_STEPS = 4  # the first does what is done once
SAMPLING_STEPS = 4, 10  # some methods need more steps than a few


@dataclass(frozen=True)
class Estimate:
    """By stage its steps, seconds and peak memory; the memory there is, and what stays on the disk."""

    steps: Mapping[str, int]
    seconds: Mapping[str, float]
    memory_mb: Mapping[str, float]
    limit_mb: float
    disk_mb: float

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())

    @property
    def peak_mb(self) -> float:
        return max(self.memory_mb.values(), default=0.0)


def estimate(config: Mapping[str, Any]) -> Estimate:
    """Do everything once with few steps, in a folder that is thrown away, and multiply.

    `config` is that of `giftune tune`. Raises what the run itself would raise.
    """
    prompts = prompts_of(config, read_task(config))
    drawn = prompts[: config["method"].get("batch_size", 1)]
    limit = memory.limit()
    for least in SAMPLING_STEPS:
        with tempfile.TemporaryDirectory() as folder:
            small = _small(config, drawn, least, Path(folder))
            stages = Stages()
            try:
                with redirect_stdout(io.StringIO()):
                    run_task(small, stages)
            except InputError:
                if least == SAMPLING_STEPS[-1]:
                    raise
                continue
            return _extrapolated(config, small, stages, prompts, limit)
    raise AssertionError("the last attempt returns or raises")


def _small(config: Mapping[str, Any], prompts: Sequence[str], steps: int, folder: Path) -> dict[str, Any]:
    small = _redirected(config, str(folder / ".cache"))
    small |= {"run_name": "trial", "logger": None}
    small["paths"] |= {"runs": str(folder)}
    small["edit"] |= {"prompts": list(prompts), "prompts_file": None}
    small["trainer"] |= {"preview_every": 0, "max_steps": min(TUNING_STEPS, config["trainer"]["max_steps"])}
    for name in ("num_steps", "inversion_steps"):
        if config["method"].get(name) is not None:
            small["method"][name] = min(steps, config["method"][name])
    return small


def _redirected(config: Mapping[str, Any], cache: str) -> dict[str, Any]:
    """A copy in which nothing is remembered from other runs, or for them."""
    return {
        key: _redirected(value, cache)
        if isinstance(value, Mapping)
        else cache
        if key == "cache" and value is not None
        else value
        for key, value in config.items()
    }


def _extrapolated(
    config: Mapping[str, Any],
    small: Mapping[str, Any],
    stages: Stages,
    prompts: Sequence[str],
    limit: float,
) -> Estimate:
    tried, drawn = stages.summary(), max(1, len(small["edit"]["prompts"]))
    longer = {
        "tuning": _ratio(config["trainer"], small["trainer"], "max_steps"),
        "inverting": _ratio(config["method"], small["method"], "inversion_steps", "num_steps"),
        "sampling": _ratio(config["method"], small["method"], "num_steps") * -(-len(prompts) // drawn),
        "scoring": len(prompts) / drawn,
    }
    steps = {stage: round(found["steps"] * longer.get(stage, 1)) for stage, found in tried.items()}
    seconds = {stage: stages.once(stage) + stages.seconds_per_step(stage) * steps[stage] for stage in tried}
    peaks = {stage: found["memory_mb"] for stage, found in tried.items()}
    run = Path(small["paths"]["runs"]) / small["run_name"]
    edits = _size(run / "edits")
    disk = _size(run) + edits * (len(prompts) / drawn - 1)
    return Estimate(steps, seconds, peaks, limit, disk / memory.MB)


def _ratio(config: Mapping[str, Any], small: Mapping[str, Any], *names: str) -> float:
    """How many times as many steps, by the first of these settings that is there."""
    for name in names:
        if config.get(name):
            return config[name] / small[name]
    return 1


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
