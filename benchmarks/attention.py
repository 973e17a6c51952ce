"""Measure attention in half precision on the CPU: torch's own kernel against the float32 one.

    python benchmarks/attention.py --out docs/results/attention

Ratios of the time of each length of keys, forwards alone and with the backward pass: what
`giftune.attention.fused` decides by. Both ways take turns, and medians are compared. Writes OUT.json.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from main_job import provenance
from torch import Tensor


class Shape(NamedTuple):
    """Of queries and keys; the last two numbers are lengths of the sequences."""

    batch: int
    heads: int
    width: int
    queries: int
    keys: int


def shapes(largest: int) -> list[Shape]:
    """Over frames, over a text, and over places, as in a network of 8 heads of 40."""
    over_frames = [Shape(256, 8, 40, frames, frames) for frames in (4, 8, 16, 32)]
    places = [Shape(4, 8, 40, n, 2 * n) for n in (16, 64, 256, 1024, 4096) if 2 * n <= largest]
    return [*over_frames, Shape(4, 8, 40, 1024, 77), *places]


def own_kernel(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query, key, value)


def in_float32(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return F.scaled_dot_product_attention(query.float(), key.float(), value.float()).to(query.dtype)


def seconds(attend: Callable[..., Tensor], shape: Shape, backward: bool) -> float:
    generator = torch.Generator().manual_seed(0)
    lengths = (shape.queries, shape.keys, shape.keys)
    inputs = [
        torch.randn(shape.batch, shape.heads, n, shape.width, generator=generator).bfloat16() for n in lengths
    ]
    for tensor in inputs:
        tensor.requires_grad_(backward)
    started = time.perf_counter()
    found = attend(*inputs)
    if backward:
        torch.autograd.grad(found.sum(), inputs)
    return time.perf_counter() - started


def compare(shape: Shape, backward: bool, repeats: int) -> dict[str, float]:
    times: dict[str, list[float]] = {"own": [], "float32": []}
    for _ in range(repeats + 1):
        times["own"].append(seconds(own_kernel, shape, backward))
        times["float32"].append(seconds(in_float32, shape, backward))
    own, wide = (statistics.median(times[name][1:]) for name in ("own", "float32"))
    return {"own_ms": 1e3 * own, "float32_ms": 1e3 * wide, "float32_over_own": wide / own}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, help="without it the table is only printed")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--largest", type=int, default=2048, help="most keys")
    arguments = parser.parse_args()
    rows = []
    print("| queries | keys | forward, float32 over own | with backward |\n|---|---|---|---|")
    for shape in shapes(arguments.largest):
        forward, both = (compare(shape, backward, arguments.repeats) for backward in (False, True))
        rows.append({**shape._asdict(), "forward": forward, "with_backward": both})
        ratios = " | ".join(f"{found['float32_over_own']:.2f}" for found in (forward, both))
        print(f"| {shape.queries} | {shape.keys} | {ratios} |", flush=True)
    if arguments.out:
        facts = {"threads": torch.get_num_threads(), "dtype": "bfloat16", **provenance()}
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
