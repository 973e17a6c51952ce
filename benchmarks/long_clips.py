"""Measure how seconds and memory grow with the number of frames and with their size.

    python benchmarks/long_clips.py --work WORK --out docs/results/long_clips    # about 15 minutes
    python benchmarks/long_clips.py --model emojiworld --out docs/results/long_clips_emojiworld
    python benchmarks/long_clips.py --work WORK --out docs/results/long_clips_gpu --device cuda \\
        --frames 8 16 32 64 128 --side 256 --sizes 256 384 512 768

A step of tuning and a guided step of one prompt, with all frames at once and with windows of --window frames,
everything in --dtype without checkpointing; memory is the most that the process, or the GPU, held, weights
included. Stable Diffusion 1.x at its full size with random weights, or the embedded model.
Writes OUT.json, OUT.md and OUT.png.
"""

import argparse
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from recipes import Job, Variant
from speed import checkpoint, medians, run

from giftune.cli.provenance import provenance

WHOLE = "all frames at once"


def jobs(given: argparse.Namespace) -> dict[str, tuple[Variant, Job]]:
    """By name, what is measured: longer and longer clips, and larger and larger ones of the first length."""
    source = "emojiworld" if given.model == "emojiworld" else checkpoint(given.work)
    job = Job(source, given.device, given.frames[0], given.side, given.steps, given.threads, prompts=1)
    whole, windowed = Variant(given.dtype), Variant(given.dtype, window=given.window)
    longer = {f"{n} frames": (whole, replace(job, frames=n)) for n in given.frames}
    in_windows = {
        f"{n} frames in windows of {given.window}": (windowed, replace(job, frames=n))
        for n in given.frames
        if n > given.window
    }
    larger = {f"{side} x {side}": (whole, replace(job, size=side)) for side in given.sizes}
    return longer | in_windows | larger


def table(rows: dict[str, dict[str, Any]]) -> str:
    lines = [
        "| | tuning step, s | memory, MB | guided step, s | memory, MB |",
        "|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        cells = (
            f"{row['tuning']:.3g} | {row['tuning_mb']:.0f} | {row['guided']:.3g} | {row['editing_mb']:.0f}"
        )
        lines.append(f"| {name} | {cells} |")
    return "\n".join(lines)


def plot(rows: dict[str, dict[str, Any]], out: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    said = {"tuning": "tuning step, s", "tuning_mb": "memory of tuning, MB", "guided": "guided step, s"}
    figure, axes = pyplot.subplots(1, len(said), figsize=(12, 3.6), layout="constrained")
    for axis, (key, title) in zip(axes, said.items(), strict=True):
        for label, windowed in ((WHOLE, False), ("in windows", True)):
            chosen = [
                row for name, row in rows.items() if "frames" in name and ("windows" in name) == windowed
            ]
            axis.plot([r["frames"] for r in chosen], [r[key] for r in chosen], "o-", label=label)
        axis.set(title=title, xlabel="frames", ylim=(0, None))
    axes[0].legend()
    figure.savefig(out, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", choices=("sd1", "emojiworld"), default="sd1")
    parser.add_argument("--work", type=Path, help="where the checkpoint of sd1 is made: 2.1 GB")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    parser.add_argument("--frames", type=int, nargs="+", default=[8, 16, 32, 64, 128])
    parser.add_argument(
        "--side", type=int, default=64, help="of the frames, in pixels, when their number varies"
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 192, 256])
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--steps", type=int, default=2, help="that are counted, of each kind")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    given = parser.parse_args()
    if given.model == "sd1" and given.work is None:
        parser.error("sd1 needs --work, where its checkpoint is made.")
    rows, facts = {}, {}
    for name, (variant, job) in jobs(given).items():
        rows[name] = medians(run({name: variant}, job, 1)[name]) | {"frames": job.frames, "size": job.size}
        facts = {"job": asdict(job) | {"checkpoint": given.model}, "window": given.window}
        facts |= {"dtype": given.dtype} | provenance()
    given.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
    given.out.with_suffix(".md").write_text(f"{table(rows)}\n\n{json.dumps(facts)}\n")
    plot(rows, given.out.with_suffix(".png"))
    print(table(rows))


if __name__ == "__main__":
    main()
