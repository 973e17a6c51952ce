"""Train both methods that learn from many clips in two processes, and in one with twice the batch.

    python benchmarks/ranks.py --work WORK --out docs/results/ranks

Twice, on EmojiWorld with the embedded model, on the CPU:

exact     every clip has randomness of its own, so that it does not matter in which process it is learnt
          from: the losses of every step must agree to rounding. HARIVO-inspired is without its contrastive
          loss here, of which each process has a queue of its own.
as_it_is  each process draws noise and timesteps of its own, and one with twice the batch draws others: the
          mean losses must agree within what another seed alone does to them.

Writes OUT.json. What was trained is kept in WORK, so that the same command goes on after an interruption.
"""

import argparse
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from main_job import provenance
from scipy.stats import t as student

from giftune.backbone.stable_diffusion import load_backbone
from giftune.data.clip_stream import ClipStream
from giftune.data.emojiworld_clips import EmojiWorldClips
from giftune.data.seeded import seeded
from giftune.methods.base import Example, Learner
from giftune.methods.harivo import Harivo
from giftune.methods.pix2gif import Pix2Gif
from giftune.training.clip_trainer import ClipTrainer
from giftune.training.ranks import here, join, leave

METHODS, WAYS, FRAMES = ("harivo", "pix2gif"), ("exact", "as_it_is"), 4


class Job(NamedTuple):
    """One training, by what its folder is called."""

    method: str
    way: str
    seed: int
    ranks: int
    batch_size: int  # of all ranks together
    steps: int

    @property
    def name(self) -> str:
        return f"{self.method}-{self.way}-{self.seed}-{self.ranks}"


class ByClip:
    """A learner whose randomness belongs to each clip, whichever process and batch it is in."""

    def __init__(self, inner: Any, seed: int) -> None:
        self.inner, self.seed = inner, seed
        self.network, self.device = inner.network, inner.device
        self.trainable, self.save, self.load = inner.trainable, inner.save, inner.load

    def collate(self, examples: Sequence[Example], generator: torch.Generator) -> Any:
        del generator
        return tuple((one.name, self.inner.collate([one], self._of("collate", one.name))) for one in examples)

    def losses(self, batch: Any, generator: torch.Generator) -> dict[str, tuple[torch.Tensor, float]]:
        del generator
        found = [self.inner.losses(one, self._of("loss", name)) for name, one in batch]
        return {
            name: (sum(part[name][0] for part in found) / len(found), weight)
            for name, (_, weight) in found[0].items()
        }

    def _of(self, *key: str) -> torch.Generator:
        return seeded(self.seed, *key)


def learner(job: Job) -> Learner:
    backbone = load_backbone("emojiworld", device="cpu")
    if job.method == "pix2gif":
        made: Any = Pix2Gif(
            backbone, perceptual_weight=1.0, motion_range=(2, 16), sentence=" {number}", checked_motion=True,
            seed=job.seed,
        )  # fmt: skip
    else:
        made = Harivo(backbone, contrastive_weight=0.0 if job.way == "exact" else 0.01, seed=job.seed)
    return ByClip(made, job.seed) if job.way == "exact" else made


def train(job: Job, work: Path) -> None:
    """In this process, alone or as one of several."""
    clips = EmojiWorldClips(num_frames=FRAMES, seed=job.seed)
    stream = ClipStream(clips, job.seed, here().rank, here().count)
    rate = {"harivo": 3e-4, "pix2gif": 2e-4}[job.method]
    trainer = ClipTrainer(job.steps, batch_size=job.batch_size // job.ranks, checkpoint_every=5)
    trainer.fit(learner(job), stream, partial(torch.optim.AdamW, lr=rate, weight_decay=0.0), work / job.name)


def start(jobs: list[Job], work: Path) -> None:
    """A process for each rank, as torchrun starts them, with one thread each; they do all of these jobs."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = str(listener.getsockname()[1])
    count = jobs[0].ranks
    shared = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count), "GROUP_RANK": "0"}
    shared |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    shared["TORCH_CPP_LOG_LEVEL"] = "ERROR"  # or each says that it looked for unused parameters in vain
    command = [sys.executable, __file__, "--work", str(work), "--as-rank", json.dumps(jobs)]
    processes = [
        subprocess.Popen(command, env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)})
        for rank in range(count)
    ]
    if any([process.wait() for process in processes]):
        raise SystemExit(f"a process failed; the same command resumes {work}.")


def as_rank(jobs: list[Job], work: Path) -> None:
    torch.set_num_threads(1)
    ranks = join("cpu") if jobs[0].ranks > 1 else here()
    for job in jobs:
        train(job, work)
        ranks.wait()
        if ranks.first:
            print(job.name, flush=True)
    if ranks.count > 1:
        leave()


def log(job: Job, work: Path) -> list[dict]:
    file = work / job.name / "train.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return lines if len(lines) >= job.steps else []


def compared(method: str, way: str, jobs: dict[tuple[int, int], list[dict]]) -> dict[str, Any]:
    """`jobs` are the logs by seed and number of processes."""
    seeds = sorted({seed for seed, _ in jobs})
    curves = {key: np.array([line["loss"] for line in lines]) for key, lines in jobs.items()}
    if way == "exact":
        apart = max(float(np.abs(curves[s, 2] / curves[s, 1] - 1).max()) for s in seeds)
        return {"method": method, "way": way, "largest_relative_difference": apart}
    means = {ranks: np.array([curves[seed, ranks].mean() for seed in seeds]) for ranks in (1, 2)}
    differences = means[2] - means[1]
    half = student.ppf(0.975, len(seeds) - 1) * differences.std(ddof=1) / len(seeds) ** 0.5
    return {
        "method": method,
        "way": way,
        "mean_loss_of_one": float(means[1].mean()),
        "mean_loss_of_two": float(means[2].mean()),
        "difference": float(differences.mean()),
        "half_of_95_percent_interval": float(half),
        "spread_over_seeds": float(means[1].std(ddof=1)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="where the trainings are kept")
    parser.add_argument("--out", type=Path, help="without it the result is only printed")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=2, help="clips of a step, an even number")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[1, 2, 3], help="of which the first for exact"
    )
    parser.add_argument("--as-rank", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    if arguments.as_rank:
        return as_rank([Job(*job) for job in json.loads(arguments.as_rank)], arguments.work)
    jobs = [
        Job(method, way, seed, ranks, arguments.batch_size, arguments.steps)
        for method, way, seed, ranks in itertools.product(METHODS, WAYS, arguments.seeds, (1, 2))
        if way == "as_it_is" or seed == arguments.seeds[0]
    ]
    for ranks in (1, 2):
        if missing := [job for job in jobs if job.ranks == ranks and not log(job, arguments.work)]:
            start(missing, arguments.work)
    results, curves = [], {job.name: [line["loss"] for line in log(job, arguments.work)] for job in jobs}
    for method, way in itertools.product(METHODS, WAYS):
        chosen = [job for job in jobs if (job.method, job.way) == (method, way)]
        results.append(
            compared(method, way, {(job.seed, job.ranks): log(job, arguments.work) for job in chosen})
        )
        print(json.dumps(results[-1]), flush=True)
    facts = {"steps": arguments.steps, "batch_size": arguments.batch_size, "frames": FRAMES} | provenance()
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        report = {"facts": facts, "results": results, "losses": curves}
        arguments.out.with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
