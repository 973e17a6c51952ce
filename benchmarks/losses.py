"""Measure what each loss does to the edits, on EmojiWorld.

    python benchmarks/losses.py --work WORK --out docs/results/losses

12 clips x 3 edits (another subject, another background, another style) x 3 seeds, tuned with the
reconstruction loss alone, with each of the others added, and with all. Edits are kept in WORK, so that the
same command goes on after an interruption; several processes can share the work: --shard 0/2 and 1/2 first,
then once without. Writes OUT.json (every edit) and OUT.md (means over clips, and paired differences).
"""

import argparse
import itertools
import json
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from main_job import CLIPS, interval, provenance

from giftune.backbone.stable_diffusion import load_backbone
from giftune.emojiworld.captions import caption
from giftune.emojiworld.oracle import load_oracle
from giftune.emojiworld.world import WorldClip, make_clip
from giftune.losses.background import Background
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.methods.giftune import GifTune
from giftune.metrics.attribute_accuracy import AttributeAccuracy
from giftune.metrics.background_depth import BackgroundDepthError, TrueBackgroundDepthError
from giftune.metrics.background_psnr import BackgroundPsnr
from giftune.metrics.background_ssim import BackgroundSsim
from giftune.metrics.features import load_clip, load_depth
from giftune.metrics.flicker import BackgroundFlicker, Flicker
from giftune.metrics.frame_consistency import FrameConsistency
from giftune.metrics.suite import Suite
from giftune.metrics.textual_faithfulness import TextualFaithfulness
from giftune.metrics.trajectory_error import TrajectoryError
from giftune.metrics.warp_error import TrueWarpError
from giftune.training.tuner import Tuner

# subject, background, motion -> the other subject, background and style; the last two only chose the weights
MORE_CLIPS = [
    ("dog", "beach", "dance", "chick", "grass", "sketch"),
    ("lion", "grass", "approach", "bear", "moon", "pixel art"),
    ("turtle", "desert", "jump", "octopus", "beach", "sunset"),
    ("pig", "forest", "run", "rabbit", "city", "pixel art"),
    ("koala", "beach", "fly", "penguin", "ocean", "sketch"),
    ("robot", "city", "jump", "dog", "grass", "pixel art"),
]
EVERY_CLIP = [*CLIPS, *MORE_CLIPS]
FIRST_SEED = 300  # of the scenes; others than in main_job.py
ARMS = {
    "reconstruction": (),
    "+ temporal": ("temporal",),
    "+ background": ("background",),
    "all three": ("temporal", "background"),
}
OF_THE_BACKGROUND = (
    "background_depth",
    "true_background_depth",
    "background_psnr",
    "background_ssim",
    "background_flicker",
)


class Setting(NamedTuple):
    steps: int
    learning_rate: float
    guidance: float
    sampling_steps: int
    dtype: str
    temporal_weight: float
    background_weight: float
    frames_per_step: int


def world_of(index: int) -> WorldClip:
    subject, background, motion, *_ = EVERY_CLIP[index]
    return make_clip(subject, background, "plain", motion, num_frames=8, seed=FIRST_SEED + index)


def asked_of(index: int) -> dict[str, dict[str, str]]:
    subject, background, _, other_subject, other_background, other_style = EVERY_CLIP[index]
    return {
        "subject": {"subject": other_subject, "background": background, "style": "plain"},
        "background": {"subject": subject, "background": other_background, "style": "plain"},
        "style": {"subject": subject, "background": background, "style": other_style},
    }


def prompts_of(index: int) -> list[str]:
    return [caption(**wish, motion=EVERY_CLIP[index][2]) for wish in asked_of(index).values()]


def edit(setting: Setting, parts: tuple[str, ...], index: int, seed: int) -> tuple[np.ndarray, float]:
    """The three edits as "edit f h w 3" bytes, and the seconds of tuning."""
    world = world_of(index)
    backbone = load_backbone("emojiworld", dtype=setting.dtype)
    method = GifTune(
        backbone,
        guidance=setting.guidance,
        batch_size=3,
        seed=seed,
        num_steps=setting.sampling_steps,
        inversion_steps=setting.sampling_steps,
    )
    extra = {
        "temporal": lambda: (TemporalConsistency(), setting.temporal_weight),
        "background": lambda: (
            Background(load_depth("emojiworld"), frames_per_step=setting.frames_per_step),
            setting.background_weight,
        ),
    }
    loss = WeightedSum({"reconstruction": (Reconstruction(), 1.0)} | {part: extra[part]() for part in parts})
    optimizer = partial(torch.optim.AdamW, lr=setting.learning_rate)
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        tuner = Tuner(setting.steps, checkpoint_every=10_000)
        tuner.fit(method, method.prepare(world.clip, world.caption), loss, optimizer, Path(folder), seed)
    seconds = time.perf_counter() - started
    clips = method.edit(world.clip, prompts_of(index), torch.Generator().manual_seed(seed))
    frames = torch.stack([clip.frames for clip in clips]).movedim(2, -1)
    return ((frames + 1) * 127.5).round().clamp(0, 255).byte().numpy(), seconds


def run(setting: Setting, cells: list[tuple[str, int, int]], work: Path) -> None:
    for number, (arm, index, seed) in enumerate(cells):
        file = work / f"{arm.replace(' ', '_')}-{index}-{seed}.npz"
        if file.exists():
            continue
        frames, seconds = edit(setting, ARMS[arm], index, seed)
        partial_file = file.with_suffix(".part")
        with partial_file.open("wb") as stream:
            np.savez_compressed(stream, frames=frames, seconds=seconds)
        partial_file.rename(file)
        print(f"{number + 1}/{len(cells)} {arm}, clip {index}, seed {seed}: {seconds:.0f} s", flush=True)


def suite() -> Suite:
    clip, depth, oracle = load_clip("emojiworld"), load_depth("emojiworld"), load_oracle()
    made = {
        "background_depth": BackgroundDepthError(depth),
        "true_background_depth": TrueBackgroundDepthError(depth),
        "background_psnr": BackgroundPsnr(),
        "background_ssim": BackgroundSsim(),
        "background_flicker": BackgroundFlicker(),
        "flicker": Flicker(),
        "warp_error": TrueWarpError(),
        "faithfulness": TextualFaithfulness(clip),
        "frame_consistency": FrameConsistency(clip, "tune_a_video"),
        "trajectory_error": TrajectoryError(oracle),
        **{name: AttributeAccuracy(oracle, name) for name in ("subject", "background", "style")},
    }
    return Suite({name: partial(lambda metric: metric, metric) for name, metric in made.items()})


def score(cells: list[tuple[str, int, int]], work: Path) -> list[dict]:
    metrics, rows = suite(), []
    for arm, index, seed in cells:
        saved = np.load(work / f"{arm.replace(' ', '_')}-{index}-{seed}.npz")
        world = world_of(index)
        truth = {"depth": world.depth, "mask": world.mask, "flow": world.flow, "centres": world.centres}
        for frames, prompt, (kind, asked) in zip(
            saved["frames"], prompts_of(index), asked_of(index).items(), strict=True
        ):
            edited = torch.from_numpy(frames).movedim(-1, 1).float() / 127.5 - 1
            scores, _ = metrics.score(
                edited=edited, source=world.clip.frames, prompt=prompt, asked=asked, **truth
            )
            values = {one.name: one.value for one in scores}
            values["asked"] = values[kind]
            facts = {"arm": arm, "clip": index, "seed": seed, "edit": kind}
            rows.append(facts | values | {"tuning_seconds": float(saved["seconds"])})
    return rows


COLUMNS = (
    "background_depth",
    "true_background_depth",
    "background_psnr",
    "background_ssim",
    "background_flicker",
    "flicker",
    "warp_error",
    "trajectory_error",
    "frame_consistency",
    "faithfulness",
    "asked",
    "tuning_seconds",
)


def of_clips(rows: list[dict], arm: str, column: str) -> np.ndarray:
    """Means over seeds and edits of each clip; of the background's scores, only where the subject changed."""
    values: Mapping[int, list[float]] = {}
    for row in rows:
        if row["arm"] == arm and (column not in OF_THE_BACKGROUND or row["edit"] == "subject"):
            values.setdefault(row["clip"], []).append(row[column])  # type: ignore[attr-defined]
    return np.array([np.mean(values[clip]) for clip in sorted(values)])


def table(rows: list[dict]) -> str:
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    head = ["| | " + " | ".join(arms) + " |", "|---" * (len(arms) + 1) + "|"]
    means = [
        f"| {column} | " + " | ".join(interval(of_clips(rows, arm, column)) for arm in arms) + " |"
        for column in COLUMNS
    ]
    first, *others = arms
    paired = [f"| minus {first} | " + " | ".join(others) + " |", "|---" * len(arms) + "|"]
    for column in COLUMNS:
        differences = [of_clips(rows, arm, column) - of_clips(rows, first, column) for arm in others]
        paired.append(f"| {column} | " + " | ".join(map(interval, differences)) + " |")
    return "\n".join([*head, *means, "", *paired])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="where the edits are kept")
    parser.add_argument("--out", type=Path, help="without it the table is only printed")
    parser.add_argument("--clips", type=int, nargs="+", default=list(range(12)), help="their numbers")
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--shard", default="0/1", help="K/N: only every N-th cell, from the K-th, and no table"
    )
    parser.add_argument("--steps", type=int, default=150)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--sampling-steps", type=int, default=50)
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--temporal-weight", type=float, default=0.1)
    parser.add_argument("--background-weight", type=float, default=0.1)
    parser.add_argument("--frames-per-step", type=int, default=2, help="that the background loss decodes")
    arguments = parser.parse_args()
    setting = Setting(*(getattr(arguments, name) for name in Setting._fields))
    arguments.work.mkdir(parents=True, exist_ok=True)
    cells = [(a, c, s) for s, c, a in itertools.product(arguments.seeds, arguments.clips, arguments.arms)]
    shard, shards = map(int, arguments.shard.split("/"))
    run(setting, cells[shard::shards], arguments.work)
    if shards > 1:
        return
    rows = score(cells, arguments.work)
    facts = setting._asdict() | {"seeds": arguments.seeds} | provenance()
    print(table(rows))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
        arguments.out.with_suffix(".md").write_text(f"{table(rows)}\n\n{json.dumps(facts)}\n")


if __name__ == "__main__":
    main()
