"""Measure whether GIFs of one picture move as far as was asked, and keep the picture, on EmojiWorld.

    giftune train sweeps=pix2gif_training
    python benchmarks/pix2gif.py --runs runs/pix2gif_training --work WORK --out WORK/variants
    python benchmarks/pix2gif.py --work WORK --out WORK/pix2gif

Every training under --runs, or else the weights that come with giftune, draws pictures of pairs that the
image model never saw, each with every motion of its range. What came out is measured from the picture to
each frame: by the published tracker, by the one that follows points back, which says nothing where it loses
them (those frames do not count for it), and by the way of the subject's centre as the oracle sees it. What
is true of a drawn frame is not known; beside trainings stand the world's own pictures with the subject
moved by what is asked, of which it is known, so that they say what the measures can reach. GIFs are kept in
WORK, so that the same command goes on after an interruption; several processes can share the work: --shard
0/2 and 1/2 first, then once without. Writes OUT.json (every frame), OUT.md (means over pictures, and paired
differences) and OUT.png (samples).
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from harivo import Prompt, config_of, default_config, prompts_of, read, trained
from main_job import provenance
from paired import table

from giftune.cli._method import build_method
from giftune.clip import Clip
from giftune.data.seeded import seeded
from giftune.emojiworld.motions import Pose
from giftune.emojiworld.oracle import Oracle, load_oracle
from giftune.emojiworld.scene import Scene, render
from giftune.emojiworld.world import WorldClip, make_clip
from giftune.errors import InputError
from giftune.methods.motion_pairs import motion_range
from giftune.metrics.features import load_clip
from giftune.metrics.input_conformity import input_conformity
from giftune.metrics.motion_control import distance, pearson
from giftune.metrics.motion_magnitude import motion_magnitude
from giftune.report.contact_sheet import contact_sheet

WORLD, SHIPPED = "the world itself", "as shipped"
MOVING = ("jump", "run", "fly")  # those whose motion is a way
FIRST_SEED = 9500  # of the pictures
TRACKERS = {"published": "published tracker", "checked": "checked tracker", "way": "way of the subject"}
COLUMNS = (
    *(f"{kind}_{name}" for name in TRACKERS for kind in ("pearson", "l2")),
    "known",  # share of frames of which the checked tracker says anything
    "conformity",
    "seconds",
)


class Arm(NamedTuple):
    """A row of the table: a training, or the world, and the scale of the picture's guidance."""

    name: str
    run: Path | None
    image_guidance: float


class Setting(NamedTuple):
    sampling_steps: int
    guidance: float


def arms_of(runs: Path | None, scales: list[float]) -> list[Arm]:
    found = []
    folders: dict[str, Path | None] = {**trained(runs)} if runs else {SHIPPED: None}
    for (name, run), scale in itertools.product(folders.items(), scales):
        found.append(Arm(name if len(scales) == 1 else f"{name}, {scale:g}", run, scale))
    return [*found, Arm(WORLD, None, 0.0)]


def pictures_of(count: int) -> list[Prompt]:
    """Held-out pairs alone; those that move, in turn."""
    chosen = [prompt for prompt in prompts_of(2 * count) if prompt.held_out]
    return [prompt._replace(motion=MOVING[i % len(MOVING)]) for i, prompt in enumerate(chosen)]


def world_of(prompt: Prompt, number: int) -> WorldClip:
    return make_clip(*prompt, num_frames=8, seed=FIRST_SEED + number)


def drawer(arm: Arm, setting: Setting, asked: list[int]) -> Callable[[Prompt, int], torch.Tensor]:
    """From a prompt and its number to frames: the picture itself, then one for each motion."""
    if arm.name == WORLD:
        return lambda prompt, number: moved(world_of(prompt, number).scene, asked)
    config = config_of(arm.run) if arm.run else default_config("animate", "image=none", "prompt=none")
    more = {
        "weights": str(arm.run / "weights.safetensors") if arm.run else "emojiworld",
        "cache": None,
        "motion": asked[-1],
        "schedule": "even",
        "num_steps": setting.sampling_steps,
        "guidance": setting.guidance,
        "image_guidance": arm.image_guidance,
    }
    method = build_method({**config, "method": {**config["method"], **more}})

    def draw(prompt: Prompt, number: int) -> torch.Tensor:
        picture = world_of(prompt, number).clip.frames[:1]
        clip = Clip(picture.repeat(len(asked), 1, 1, 1), (120,) * len(asked))
        (drawn,) = method.edit(clip, [prompt.text], seeded("picture", number))
        return torch.cat([picture, drawn.frames])

    return draw


def moved(scene: Scene, asked: list[int]) -> torch.Tensor:
    """The subject where its motion begins, then that many pixels of 64 aside, towards the farther edge."""
    rest = scene.pose(0.0)
    side = 1 if scene.centre(rest)[0] < 0.5 else -1
    poses = [rest, *(Pose(rest.dx + side * motion / 64, *rest[1:]) for motion in asked)]
    frames = np.stack([render(scene, pose, 64).picture for pose in poses])
    return torch.from_numpy(frames).movedim(-1, 1).float() * 2 - 1


def file_of(work: Path, arm: Arm, number: int) -> Path:
    return work / f"{arm.name.replace(' ', '_').replace(',', '')}-{arm.image_guidance:g}-{number}.npz"


def run(
    setting: Setting, arms: list[Arm], prompts: list[Prompt], asked: list[int], work: Path, shard: str
) -> None:
    part, parts = map(int, shard.split("/"))
    for arm in arms:
        numbers = [n for n in range(len(prompts))[part::parts] if not file_of(work, arm, n).exists()]
        draw = drawer(arm, setting, asked) if numbers else None
        for number in numbers:
            assert draw is not None
            started = time.perf_counter()
            frames = draw(prompts[number], number)
            seconds = time.perf_counter() - started
            pixels = ((frames + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).numpy()
            file = file_of(work, arm, number)
            with file.with_suffix(".part").open("wb") as stream:
                np.savez_compressed(stream, frames=pixels, seconds=seconds)
            file.with_suffix(".part").rename(file)
            print(f"{arm.name}, {prompts[number].text}: {seconds:.1f} s", flush=True)


def correlated(asked: torch.Tensor, found: torch.Tensor) -> float:
    """Of what is known; 0 where that is nothing, or all alike."""
    known = ~found.isnan()
    try:
        return pearson(asked[known], found[known]) if known.sum() > 1 else 0.0
    except InputError:
        return 0.0


def apart(asked: torch.Tensor, found: torch.Tensor) -> float:
    """L2, scaled to all frames where not all are known; nothing known counts as nothing moved."""
    known = ~found.isnan()
    if not known.any():
        return distance(asked, torch.zeros_like(asked))
    return distance(asked[known], found[known]) * (len(asked) / int(known.sum())) ** 0.5


def score(frames: torch.Tensor, asked: list[int], oracle: Oracle, clip: Any) -> dict[str, Any]:
    """What was measured of each motion, and how it goes with what was asked."""
    picture, drawn = frames[0], frames[1:]
    centres = oracle.judge(frames).centres * frames.shape[-1]
    found = {
        "published": torch.tensor([motion_magnitude(picture, frame) for frame in drawn]),
        "checked": torch.tensor([motion_magnitude(picture, frame, checked=True) for frame in drawn]),
        "way": (centres[1:] - centres[0]).norm(dim=1).cpu(),
    }
    found["checked"][found["checked"] == 0] = float("nan")
    wish = torch.tensor(asked, dtype=torch.float32)
    scores: dict[str, Any] = {"measured": {name: listed(values) for name, values in found.items()}}
    for name, values in found.items():
        scores |= {f"pearson_{name}": correlated(wish, values), f"l2_{name}": apart(wish, values)}
    scores["known"] = float((~found["checked"].isnan()).float().mean())
    return scores | {"conformity": input_conformity(picture, drawn, clip)}


def listed(values: torch.Tensor) -> list[float | None]:
    return [None if value != value else round(value, 3) for value in values.tolist()]


def rows_of(arms: list[Arm], prompts: list[Prompt], asked: list[int], work: Path) -> list[dict]:
    oracle, clip, rows = load_oracle(), load_clip("emojiworld"), []
    for arm, (number, prompt) in itertools.product(arms, enumerate(prompts)):
        frames, seconds = read(file_of(work, arm, number))
        facts = {"arm": arm.name, "picture": number, "text": prompt.text, "seconds": seconds}
        rows.append(facts | score(frames, asked, oracle, clip))
    return rows


def said(column: str) -> str:
    kind, _, name = column.partition("_")
    kinds = {"pearson": "Pearson", "l2": "L2"}
    return f"{kinds[kind]}, {TRACKERS[name]}" if name else kind


def of_means(rows: list[dict], asked: list[int]) -> str:
    """As the paper's table 2: the mean over pictures for each motion, then Pearson and L2 of these means."""
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    lines = ["| | tracker | Pearson | L2 | " + " | ".join(map(str, asked)) + " |"]
    lines.append("|---" * (len(asked) + 4) + "|")
    wish = torch.tensor(asked, dtype=torch.float32)
    for arm, name in itertools.product(arms, TRACKERS):
        measured = np.array([row["measured"][name] for row in rows if row["arm"] == arm], dtype=float)
        known = ~np.isnan(measured)
        sums, counts = np.where(known, measured, 0).sum(axis=0), known.sum(axis=0)
        means = torch.from_numpy(np.where(counts > 0, sums / counts.clip(min=1), np.nan)).float()
        shown = " | ".join("–" if mean.isnan() else f"{mean:.1f}" for mean in means)
        scores = f"{correlated(wish, means):.3f} | {apart(wish, means):.2f}"
        lines.append(f"| {arm} | {TRACKERS[name]} | {scores} | {shown} |")
    return "\n".join(lines)


def sections(rows: list[dict], asked: list[int]) -> str:
    arms = list(dict.fromkeys(row["arm"] for row in rows))
    shown = partial(table, columns={name: said(name) for name in COLUMNS}, unit="picture")
    parts = [("Each picture by itself", shown(rows)), ("Means over pictures", of_means(rows, asked))]
    if len(arms) > 2:
        parts.append((f"Paired differences from {arms[0]}", shown(rows, reference=arms[0])))
    return "\n\n".join(f"## {title}\n\n{found}" for title, found in parts)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="a folder of trainings; without it, what is shipped")
    parser.add_argument("--work", type=Path, required=True, help="where the GIFs are kept")
    parser.add_argument("--out", type=Path, help="without it the tables are only printed")
    parser.add_argument("--pictures", type=int, default=18)
    parser.add_argument("--image-guidance", type=float, nargs="+", default=[1.5], help="each is a row")
    parser.add_argument("--motions", type=int, nargs=2, default=[2, 16], help="the last is not included")
    parser.add_argument("--sampling-steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=2.0)
    parser.add_argument("--samples", type=int, default=4, help="pictures on the sheet")
    parser.add_argument(
        "--shard", default="0/1", help="K/N: only every N-th GIF, from the K-th, and no table"
    )
    arguments = parser.parse_args()
    setting = Setting(arguments.sampling_steps, arguments.guidance)
    allowed = motion_range(arguments.motions)
    asked = list(range(*allowed))
    arguments.work.mkdir(parents=True, exist_ok=True)
    arms, prompts = arms_of(arguments.runs, arguments.image_guidance), pictures_of(arguments.pictures)
    run(setting, arms, prompts, asked, arguments.work, arguments.shard)
    if not arguments.shard.endswith("/1"):
        return
    rows = rows_of(arms, prompts, asked, arguments.work)
    facts = setting._asdict() | {"pictures": len(prompts), "motions": asked} | provenance()
    print(sections(rows, asked))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
        arguments.out.with_suffix(".md").write_text(f"{sections(rows, asked)}\n\n{json.dumps(facts)}\n")
        shown = []
        for number, arm in itertools.product(range(min(arguments.samples, len(prompts))), arms):
            frames, _ = read(file_of(arguments.work, arm, number))
            shown.append((f"{arm.name}: {prompts[number].text}", Clip(frames, (120,) * len(frames))))
        contact_sheet(shown, arguments.out.with_suffix(".png"), min_tile=64)


if __name__ == "__main__":
    main()
