"""Measure what each combination of losses costs: seconds of a tuning step and peak memory.

    python benchmarks/loss_cost.py --out docs/results/loss_cost.json

Each combination runs in a process of its own, in turn, several times over; the medians are compared with
reconstruction alone. The steps see the same timesteps in every process, and leave out the first, which looks
at the source. Memory is the growth of the resident set from before the first step to its peak.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from pathlib import Path

import torch
from losses import ARMS
from main_job import provenance

from giftune.backbone.stable_diffusion import load_backbone
from giftune.emojiworld.world import make_clip
from giftune.losses.background import Background
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.methods.giftune import GifTune
from giftune.metrics.features import load_depth


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(arm: str, dtype: str, steps: int, threads: int) -> tuple[float, float]:
    """Mean seconds of a step, and megabytes."""
    torch.set_num_threads(threads)
    world = make_clip("fox", "desert", "plain", "run", num_frames=8, seed=1)
    method = GifTune(load_backbone("emojiworld", dtype=dtype))
    made = {"temporal": TemporalConsistency, "background": lambda: Background(load_depth("emojiworld"))}
    loss = WeightedSum(
        {"reconstruction": (Reconstruction(), 1.0)} | {part: (made[part](), 0.1) for part in ARMS[arm]}
    )
    batch = method.prepare(world.clip, world.caption)
    learning = [parameter for parameter in method.network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-4)
    before = peak_mb()
    started = 0.0
    for number in range(steps + 1):
        if number == 1:
            started = time.perf_counter()
        total, _ = loss(method.step(batch, torch.Generator().manual_seed(number)))
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
    return (time.perf_counter() - started) / steps, peak_mb() - before


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path)
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")  # a fresh process each, so that peaks do not add up
    found: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
    for _ in range(arguments.repeats):
        for arm in ARMS:
            with spawn.Pool(1) as pool:
                job = (arm, arguments.dtype, arguments.steps, arguments.threads)
                found[arm].append(pool.apply(measure, job))
    medians = {
        arm: [statistics.median(column) for column in zip(*runs, strict=True)] for arm, runs in found.items()
    }
    first = medians["reconstruction"]
    rows = {
        arm: {
            "seconds": round(seconds, 4),
            "megabytes": round(memory, 1),
            "times": round(seconds / first[0], 2),
            "memory_times": round(memory / first[1], 2),
        }
        for arm, (seconds, memory) in medians.items()
    }
    facts = {
        name: getattr(arguments, name) for name in ("dtype", "steps", "repeats", "threads")
    } | provenance()
    print(json.dumps(rows, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps({"facts": facts, "rows": rows}, indent=1) + "\n")


if __name__ == "__main__":
    main()
