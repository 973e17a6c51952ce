"""Measure the main job on EmojiWorld: are the edits what was asked, and do they move as the source does?

    python benchmarks/main_job.py --out docs/results/main_job

8 clips x 3 edits (another subject, another background, another style) with the default settings, and arms
that lack one thing each, or, if asked for, edit in few steps. Writes OUT.json (every edit) and OUT.md
(means with 95 % intervals over clips).
"""

import argparse
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import t as student

from giftune.attention.patterns import per_frame, sparse_causal
from giftune.backbone.stable_diffusion import Backbone, load_backbone
from giftune.emojiworld.captions import caption
from giftune.emojiworld.oracle import Oracle, load_oracle
from giftune.emojiworld.world import WorldClip, make_clip
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.methods.giftune import GifTune
from giftune.sampling.solvers import DDIM, DPM_SOLVER, Solver
from giftune.training.tuner import Tuner

# subject, background, motion -> the other subject, background and style; no held-out pair among them
CLIPS = [
    ("rabbit", "grass", "jump", "panda", "beach", "pixel art"),
    ("fox", "desert", "run", "pig", "city", "sketch"),
    ("penguin", "snow", "dance", "robot", "ocean", "sunset"),
    ("car", "city", "run", "dog", "snow", "pixel art"),
    ("bear", "forest", "jump", "lion", "desert", "sketch"),
    ("frog", "ocean", "fly", "unicorn", "moon", "pixel art"),
    ("chick", "beach", "approach", "turtle", "grass", "sunset"),
    ("octopus", "moon", "fly", "koala", "forest", "sketch"),
]


class Arm(NamedTuple):
    pattern: Callable = sparse_causal
    inverted: bool = True
    solver: Solver = DDIM
    num_steps: int = 50


ARMS = {
    "default": Arm(),
    "no inversion": Arm(inverted=False),
    "no ST-attention": Arm(pattern=per_frame),
    "no ST-attention, no inversion": Arm(pattern=per_frame, inverted=False),
}
FEW = {
    f"{solver.name}, {num_steps} steps": Arm(solver=solver, num_steps=num_steps)
    for solver, num_steps in ((DDIM, 20), (DPM_SOLVER, 15), (DPM_SOLVER, 20), (DPM_SOLVER, 50))
}


class Setting(NamedTuple):
    steps: int
    learning_rate: float
    temporal_weight: float
    guidance: float
    seed: int


def tuned(setting: Setting, arm: Arm, world: WorldClip, backbone: Backbone | None = None) -> GifTune:
    backbone = load_backbone("emojiworld") if backbone is None else backbone
    method = GifTune(backbone, pattern=arm.pattern, guidance=setting.guidance, batch_size=3)
    parts = {
        "reconstruction": (Reconstruction(), 1.0),
        "temporal": (TemporalConsistency(), setting.temporal_weight),
    }
    with tempfile.TemporaryDirectory() as folder:
        Tuner(setting.steps, checkpoint_every=10_000).fit(
            method,
            method.prepare(world.clip, world.caption),
            WeightedSum(parts),
            partial(torch.optim.AdamW, lr=setting.learning_rate),
            Path(folder),
            setting.seed,
        )
    return method


def score(oracle: Oracle, world: WorldClip, frames: torch.Tensor, asked: dict[str, str]) -> dict[str, float]:
    """Share of frames that show what was asked, the distance to the source's track, and consistency."""
    verdict = oracle.judge(frames)
    features = torch.nn.functional.normalize(oracle.features(frames)[0], dim=1)
    cosine = (features @ features.T)[~torch.eye(len(frames), dtype=torch.bool)]
    distance = (verdict.centres * frames.shape[-1] - world.centres).norm(dim=1)
    found = {name: np.mean([x == wish for x in getattr(verdict, name)]) for name, wish in asked.items()}
    return {
        "drift": drift(frames, verdict.centres),
        "trajectory_error_px": float(distance.mean()),
        "consistency": float(cosine.mean()),
        **{f"finds_{name}": float(share) for name, share in found.items()},
    }


def drift(frames: torch.Tensor, centres: torch.Tensor, side: int = 28) -> float:
    """How the subject's look changes: mean absolute difference, in grey levels of 255, between squares of
    `side` pixels around its centre in every two frames. Moving alone does not change it, standing still is 0.
    """
    grid = (torch.arange(side) - (side - 1) / 2) / frames.shape[-1] * 2
    where = torch.stack(torch.meshgrid(grid, grid, indexing="xy"), dim=-1) + (centres * 2 - 1)[:, None, None]
    squares = torch.nn.functional.grid_sample(frames, where, align_corners=False, padding_mode="border")
    pairs = torch.combinations(torch.arange(len(frames)))
    return float((squares[pairs[:, 0]] - squares[pairs[:, 1]]).abs().mean() * 127.5)


def measure(setting: Setting, oracle: Oracle, index: int, arms: dict[str, Arm]) -> list[dict]:
    subject, background, motion, other_subject, other_background, other_style = CLIPS[index]
    world = make_clip(subject, background, "plain", motion, num_frames=8, seed=100 + index)
    asked = {
        "subject": {"subject": other_subject, "background": background, "style": "plain"},
        "background": {"subject": subject, "background": other_background, "style": "plain"},
        "style": {"subject": subject, "background": background, "style": other_style},
    }
    prompts = [caption(**wish, motion=motion) for wish in asked.values()]
    rows, methods = [], {}
    for name, arm in arms.items():
        started = time.perf_counter()
        if arm.pattern not in methods:
            methods[arm.pattern] = tuned(setting, arm, world)
        method = methods[arm.pattern]
        method.solver, method.num_steps = arm.solver, arm.num_steps
        method.inversion_steps = arm.num_steps if arm.inverted else None
        edits = list(method.edit(world.clip, prompts, torch.Generator().manual_seed(setting.seed)))
        for (edited, wish), clip in zip(asked.items(), edits, strict=True):
            scores = score(oracle, world, clip.frames, wish)
            facts = {"arm": name, "clip": index, "edit": edited, "asked": scores[f"finds_{edited}"]}
            rows.append(facts | scores)
        print(f"clip {index}, {name}: {time.perf_counter() - started:.0f} s", flush=True)
    return rows


def interval(values: np.ndarray) -> str:
    """Mean with a 95 % t interval; `values` are means over one clip each."""
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.3f} ± {half:.3f}"


def table(rows: list[dict]) -> str:
    columns = (
        "asked",
        "trajectory_error_px",
        "drift",
        "consistency",
        "finds_subject",
        "finds_background",
        "finds_style",
    )
    lines = ["| arm | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for arm in dict.fromkeys(row["arm"] for row in rows):
        cells = []
        for column in columns:
            of_clip: dict[int, list[float]] = {}
            for row in rows:
                if row["arm"] == arm:
                    of_clip.setdefault(row["clip"], []).append(row[column])
            cells.append(interval(np.array([np.mean(v) for v in of_clip.values()])))
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def provenance() -> dict[str, str | int]:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    machine = platform.processor() or platform.machine()
    threads = torch.get_num_threads()
    return {
        "commit": commit.stdout.strip(),
        "machine": machine,
        "threads": threads,
        "torch": torch.__version__,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=list(range(len(CLIPS))), help="their numbers")
    parser.add_argument("--arms", nargs="+", choices=[*ARMS, *FEW], default=list(ARMS))
    parser.add_argument("--join", type=Path, nargs="+", help="only tabulate these JSON files together")
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--temporal-weight", type=float, default=0.1)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=33)
    arguments = parser.parse_args()
    setting = Setting(
        arguments.steps,
        arguments.learning_rate,
        arguments.temporal_weight,
        arguments.guidance,
        arguments.seed,
    )
    if arguments.join:
        parts = [json.loads(file.read_text()) for file in arguments.join]
        rows, facts = [row for part in parts for row in part["rows"]], parts[0]["facts"]
    else:
        oracle, arms = load_oracle(), {name: (ARMS | FEW)[name] for name in arguments.arms}
        rows = [row for index in arguments.clips for row in measure(setting, oracle, index, arms)]
        facts = setting._asdict() | provenance()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
    arguments.out.with_suffix(".md").write_text(f"{table(rows)}\n\n{json.dumps(facts)}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
