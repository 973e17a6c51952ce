"""Measure what the framework costs: a step of `Tuner` (Lightning, callbacks, logs) against a bare loop.

    python benchmarks/overhead.py --out docs/results/overhead.json

Both tune the embedded model with the default settings, in one process and in turn: after every block of steps
inside the trainer come the same steps, with the same random numbers, of a loop of five lines on a copy. The
share is the median of (framework - bare) over all steps by the median of the bare step. CPU seconds are of
this process, so they do not count what other programs on the machine take away; W&B's own process is not in
them, but in the wall time. What happens once in a run is listed apart. "nothing" is a second bare loop in the
place of the framework: what it shows is noise.
"""

import argparse
import copy
import json
import platform
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.nn.utils import clip_grad_norm_

from giftune.backbone.stable_diffusion import load_backbone
from giftune.cli._run import plain, run
from giftune.cli._tracking import Tracking
from giftune.cli.run_folder import RunFolder
from giftune.emojiworld.world import make_clip
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.methods.giftune import GifTune
from giftune.training.module import step_generator
from giftune.training.tuner import Tuner

SEED, LEARNING_RATE, CLIP = 33, 3e-3, 1.0


class Clock(NamedTuple):
    wall: float
    cpu: float

    @classmethod
    def now(cls) -> "Clock":
        return cls(time.perf_counter(), time.process_time())

    def since(self, start: "Clock") -> "Clock":
        return Clock(self.wall - start.wall, self.cpu - start.cpu)


class Bare:
    """The loop that anybody would write."""

    def __init__(self, method: GifTune, batch: Any, loss: WeightedSum) -> None:
        self.method, self.batch, self.loss = method, batch, loss
        named = dict(method.network.named_parameters())
        self.learnt = [named[name] for name in method.trainable()]
        self.optimizer = torch.optim.AdamW(self.learnt, lr=LEARNING_RATE)

    def step(self, number: int) -> Clock:
        start = Clock.now()
        self.optimizer.zero_grad()
        self.loss(self.method.step(self.batch, step_generator(SEED, number)))[0].backward()
        clip_grad_norm_(self.learnt, CLIP)
        self.optimizer.step()
        return Clock.now().since(start)


class Alternation:
    """Called after each step of the trainer; runs a block of the bare loop after each block of its steps."""

    def __init__(self, bare: Bare, block: int) -> None:
        self.bare, self.block = bare, block
        self.framework: list[Clock] = []
        self.plain: list[Clock] = []
        self.last: Clock | None = None

    def __call__(self, step: int) -> None:
        if self.last is not None:
            self.framework.append(Clock.now().since(self.last))
        if step % self.block == 0:
            self.plain += [self.bare.step(number) for number in range(step - self.block, step)]
        self.last = Clock.now()


def measure(steps: int, block: int, logger: str) -> tuple[Alternation, Clock]:
    """One run of the framework with the bare loop in between, and all of its time but the steps'."""
    world = make_clip("rabbit", "grass", "plain", "jump", num_frames=8, seed=0)
    method = GifTune(load_backbone("emojiworld"), guidance=3.0, seed=SEED)
    batch = method.prepare(world.clip, world.caption)
    loss = WeightedSum({"reconstruction": (Reconstruction(), 1.0), "temporal": (TemporalConsistency(), 0.1)})
    alternation = Alternation(Bare(copy.deepcopy(method), batch, loss), block)
    start = Clock.now()
    if logger == "nothing":
        other = Bare(method, batch, loss)
        for number in range(steps):
            other.step(number)
            alternation(number + 1)
    else:
        tune(method, batch, loss, logger, steps, alternation)
    whole = Clock.now().since(start)
    named = dict(method.network.named_parameters())
    pairs = zip(alternation.bare.learnt, (named[name] for name in method.trainable()), strict=True)
    assert all(mine.equal(theirs) for mine, theirs in pairs), "the two loops did not do the same"
    spent = [*alternation.framework, *alternation.plain]
    rest = Clock(whole.wall - sum(x.wall for x in spent), whole.cpu - sum(x.cpu for x in spent))
    return alternation, rest


def tune(
    method: GifTune, batch: Any, loss: WeightedSum, logger: str, steps: int, on_step: Alternation
) -> None:
    configs: list[dict[str, Any]] = []
    run("tune", [f"logger={logger}"], lambda config: configs.append(plain(config)))
    make_optimizer = partial(torch.optim.AdamW, lr=LEARNING_RATE)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with Tracking(configs[0], RunFolder(folder)) as tracking:
            loggers = tracking.start()
            Tuner(steps, CLIP).fit(method, batch, loss, make_optimizer, folder, SEED, loggers, on_step)


def summary(runs: list[tuple[Alternation, Clock]]) -> dict[str, Any]:
    """By clock: the medians of both steps, the framework's share of all runs, and of each of them."""
    found: dict[str, Any] = {}
    for clock in Clock._fields:
        shares, differences, bare, framework = [], [], [], []
        for alternation, _ in runs:
            # the first step of the trainer begins before anything is called
            mine = [getattr(x, clock) for x in alternation.framework]
            theirs = [getattr(x, clock) for x in alternation.plain][1:]
            difference = [a - b for a, b in zip(mine, theirs, strict=True)]
            shares.append(100 * statistics.median(difference) / statistics.median(theirs))
            differences += difference
            framework += mine
            bare += theirs
        found[clock] = {
            "bare_ms": 1000 * statistics.median(bare),
            "framework_ms": 1000 * statistics.median(framework),
            "difference_ms": 1000 * statistics.median(differences),
            "share_percent": 100 * statistics.median(differences) / statistics.median(bare),
            "share_of_means_percent": 100 * statistics.fmean(differences) / statistics.fmean(bare),
            "share_of_each_run_percent": shares,
            "once_in_a_run_s": statistics.median(getattr(rest, clock) for _, rest in runs),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=60, help="of each run; a multiple of --block")
    parser.add_argument("--block", type=int, default=5, help="steps of one loop before the other's turn")
    parser.add_argument("--repeats", type=int, default=3, help="runs with each logger, in turn")
    parser.add_argument("--loggers", nargs="+", default=["nothing", "none", "csv", "wandb"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if arguments.steps % arguments.block:
        parser.error("--steps must be a multiple of --block")
    runs: dict[str, list[tuple[Alternation, Clock]]] = {name: [] for name in arguments.loggers}
    for _ in range(arguments.repeats):
        for name, found in runs.items():
            found.append(measure(arguments.steps, arguments.block, name))
    results = {name: summary(found) for name, found in runs.items()}
    for name, clocks in results.items():
        for clock, found in clocks.items():
            print(
                f"logger={name:12} {clock:4}  bare {found['bare_ms']:7.1f} ms   "
                f"framework {found['framework_ms']:7.1f} ms   share {found['share_percent']:+.2f} %"
            )
    facts = {
        "steps": arguments.steps,
        "block": arguments.block,
        "repeats": arguments.repeats,
        "threads": torch.get_num_threads(),
        "machine": platform.processor() or platform.machine(),
        "torch": torch.__version__,
        "results": results,
    }
    print(json.dumps(facts))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.write_text(json.dumps(facts, indent=1) + "\n")


if __name__ == "__main__":
    main()
