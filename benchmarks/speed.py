"""Measure tuning and editing against a reference recipe in the same run.

    python benchmarks/speed.py --work WORK --out docs/results/speed_cpu             # about an hour
    python benchmarks/speed.py --model emojiworld --frames 8 --size 64 --steps 20
        --out docs/results/speed_emojiworld
    python benchmarks/speed.py --work WORK --out docs/results/speed_gpu --device cuda --frames 24 --size 512
        --steps 8 --repeats 1

Stable Diffusion 1.x at its full size with random weights, or the embedded model; recipes.py says what is
compared. Every variant runs in a process of its own, in turn, several times over; the first step of each is
left out. Medians are compared. Memory is the most that was taken, of the GPU, else of the process, weights
included. Writes OUT.json and OUT.md.
"""

import argparse
import json
import multiprocessing
import os
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from recipes import ALLOCATORS, PROMPTS, VARIANTS, Job, Variant, measure

from giftune.cli.provenance import provenance

COLUMNS = {
    "tuning": "tuning step, s",
    "inverting": "inversion step, s",
    "guided": f"guided step of {len(PROMPTS)} prompts, s",
    "tuning_mb": "memory of tuning, MB",
    "editing_mb": "memory of editing, MB",
}
KINDS = ("tuning", "inverting", "guided")


def run(variants: dict[str, Variant], job: Job, repeats: int) -> dict[str, list[dict[str, Any]]]:
    """What was measured of each, in a fresh process each time, so that peaks of memory do not add up."""
    spawn = multiprocessing.get_context("spawn")
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in variants}
    for _ in range(repeats):
        for name, variant in variants.items():
            with environment(ALLOCATORS[variant.allocator]), spawn.Pool(1) as pool:
                found[name].append(pool.apply(measure, (variant, job)))
            seen = {key: round(found[name][-1][key], 3) for key in COLUMNS if key in found[name][-1]}
            print(name, seen, flush=True)
    return found


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """For processes that are started within."""
    before = dict(os.environ)
    os.environ.update(settings)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def medians(found: Sequence[dict[str, Any]]) -> dict[str, float]:
    numbers = [key for key, value in found[0].items() if isinstance(value, int | float)]
    return {key: statistics.median(run[key] for run in found) for key in numbers}


def table(rows: dict[str, dict[str, float]]) -> str:
    """Each value, and its ratio to the first row's."""
    first = next(iter(rows.values()))
    lines = ["| | " + " | ".join(COLUMNS.values()) + " |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in rows.items():
        cells = [f"{row[c]:.3g} ({row[c] / first[c]:.2f} x)" if c in row else "–" for c in COLUMNS]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def rates(rows: dict[str, dict[str, float]]) -> str:
    """Operations per second, and their share of what a large matrix product reaches in the same process."""
    lines = ["| GFLOP/s | matrix product | " + " | ".join(KINDS) + " |", "|---" * (len(KINDS) + 2) + "|"]
    for name, row in rows.items():
        if "matmul_flops" not in row:
            continue
        best = row["matmul_flops"]
        reached = [row[f"{kind}_flop"] / row[kind] if kind in row else None for kind in KINDS]
        cells = [f"{r / 1e9:,.0f} ({r / best:.0%})" if r else "–" for r in reached]
        lines.append(f"| {name} | {best / 1e9:,.0f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def shares(runs: dict[str, list[dict[str, Any]]]) -> str:
    """Where the time goes, by operation."""
    lines = ["| | step | operation: share of the time |", "|---|---|---|"]
    for name, found in runs.items():
        for kind in KINDS:
            if spent := found[0].get(f"{kind}_shares"):
                said = ", ".join(f"`{key}` {value:.0%}" for key, value in list(spent.items())[:8])
                lines.append(f"| {name} | {kind} | {said} |")
    return "\n".join(lines)


def checkpoint(work: Path) -> str:
    """A folder of Stable Diffusion 1.x with random weights."""
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.checkpoints import build_sd1_true_size

    folder = work / "sd1"
    return str(folder if (folder / "model_index.json").exists() else build_sd1_true_size(folder))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("sd1", "emojiworld"), default="sd1")
    parser.add_argument("--work", type=Path, help="where the checkpoint of sd1 is made: 2.1 GB")
    parser.add_argument("--out", type=Path, help="without it the tables are only printed")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2, help="that are counted, of each kind")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--profile", action="store_true", help="also where the time goes, by operation")
    given = parser.parse_args()
    if given.model == "sd1" and given.work is None:
        parser.error("sd1 needs --work, where its checkpoint is made.")
    source = "emojiworld" if given.model == "emojiworld" else checkpoint(given.work)
    job = Job(
        source,
        given.device,
        given.frames,
        given.size,
        given.steps,
        given.threads,
        profiled=given.profile,
    )
    runs = run({name: VARIANTS[name] for name in given.variants}, job, given.repeats)
    rows = {name: medians(found) for name, found in runs.items()}
    facts = {"job": asdict(job) | {"checkpoint": given.model}, "repeats": given.repeats} | provenance()
    text = f"{table(rows)}\n\n{rates(rows)}\n" + (f"\n{shares(runs)}\n" if given.profile else "")
    print(text)
    if given.out:
        given.out.with_suffix(".json").write_text(
            json.dumps({"facts": facts, "medians": rows, "runs": runs}, indent=1)
        )
        given.out.with_suffix(".md").write_text(f"{text}\n{json.dumps(facts)}\n")


if __name__ == "__main__":
    main()
