"""Measure what GIFs of a text alone show, and how they move, on EmojiWorld.

    giftune train sweeps=harivo_parts
    python benchmarks/harivo.py --runs runs/harivo_parts --work WORK --out docs/results/harivo

Every training under --runs, and the weights that come with giftune, draw the same prompts, half of them of
pairs that the image model never saw, with three seeds and without mitigating gradient; the last training
draws them with it too, or what is shipped where there is no training. Beside them the untrained model,
Text2Video-Zero, and the world's own clips of the same prompts, which say what the measures can reach.
GIFs are kept in WORK, so that the same command goes on after an interruption; several processes can share the
work: --shard 0/2 and 1/2 first, then once without. Writes OUT.json (every GIF), OUT.md (means over prompts,
and paired differences) and OUT.png (samples).
"""

import argparse
import itertools
import json
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import yaml
from hydra import compose, initialize_config_dir
from main_job import provenance
from paired import table

from giftune.backbone.stable_diffusion import load_backbone
from giftune.cli._method import build_method
from giftune.cli._run import ROOT, plain, set_environment
from giftune.clip import Clip
from giftune.data.seeded import seeded
from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import caption
from giftune.emojiworld.held_out import SUBJECT_BACKGROUND, SUBJECT_STYLE, is_held_out
from giftune.emojiworld.motion_oracle import shown_motion
from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.oracle import Oracle, load_oracle
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES
from giftune.emojiworld.world import make_clip
from giftune.methods.harivo import Harivo
from giftune.methods.text2video_zero import Text2VideoZero
from giftune.metrics.features import load_clip
from giftune.metrics.frame_consistency import mean_cosine
from giftune.report.contact_sheet import contact_sheet
from giftune.sampling.mitigating_gradient import MitigatingGradient

WORLD, ZERO, UNTRAINED, SHIPPED = "the world itself", "Text2Video-Zero", "untrained", "as shipped"
FIRST_SEED = 9000  # of the world's own clips
SAID = {
    "subject": "subject",
    "background": "background",
    "style": "style",
    "motion": "motion",
    "mad": "mean abs. difference",
    "second": "mean abs. 2nd difference",
    "consistency": "CLIP frame consistency",
    "seconds": "seconds",
}


class Prompt(NamedTuple):
    subject: str
    background: str
    style: str
    motion: str

    @property
    def text(self) -> str:
        return caption(*self)

    @property
    def held_out(self) -> bool:
        return is_held_out(self.subject, self.background, self.style)


def prompts_of(count: int) -> list[Prompt]:
    """Held-out and seen ones in turn; every motion comes as often as any other."""
    pairs = [(s, b, "plain") for s, b in sorted(SUBJECT_BACKGROUND)]
    pairs += [
        (s, list(BACKGROUNDS)[i % len(BACKGROUNDS)], t) for i, (s, t) in enumerate(sorted(SUBJECT_STYLE))
    ]
    rng, motions, found = np.random.default_rng(8), list(MOTIONS), []
    rng.shuffle(pairs)
    while len(found) < count:
        number = len(found)
        motion = motions[number // 2 % len(motions)]
        if number % 2:
            found.append(Prompt(*pairs[number // 2 % len(pairs)], motion))
            continue
        style = "plain" if number % 4 else str(rng.choice(list(STYLES)))
        seen = Prompt(str(rng.choice(list(SUBJECTS))), str(rng.choice(list(BACKGROUNDS))), style, motion)
        found += [] if seen.held_out else [seen]
    return found


class Arm(NamedTuple):
    """A row of the table: the folder of a training, or what stands in its place, and alpha."""

    name: str
    run: Path | None
    alpha: float


def arms_of(runs: Path | None, order: Sequence[str], scales: Sequence[float]) -> list[Arm]:
    """Trainings from few parts to many; the last with every scale of the mitigating gradient."""
    folders = trained(runs)
    names = order or sorted(folders, key=lambda name: (_parts(config_of(folders[name])["method"]), name))
    found = [Arm(name, folders[name], 0.0) for name in names] + [Arm(SHIPPED, None, 0.0)]
    last = found[-2] if names else found[0]
    found += [Arm(f"{last.name}, MG {scale:g}", last.run, scale) for scale in scales if scale]
    return [Arm(UNTRAINED, None, 0.0), *found, Arm(ZERO, None, 0.0), Arm(WORLD, None, 0.0)]


def trained(runs: Path | None) -> dict[str, Path]:
    """Folders of trainings by what their sweep varied, or else by their own names."""
    folders = sorted(path.parent for path in runs.rglob("weights.safetensors")) if runs else []
    return {_name_of(folder): folder for folder in folders}


def _name_of(run: Path) -> str:
    cell = run / "cell.json"
    return ", ".join(json.loads(cell.read_text())["choices"].values()) if cell.exists() else run.name


def config_of(run: Path) -> dict[str, Any]:
    return yaml.safe_load((run / "config.yaml").read_text())


def default_config(command: str, *settings: str) -> dict[str, Any]:
    """What that command would go by."""
    set_environment()
    with initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
        return plain(compose(command, list(settings)))


def _parts(method: dict[str, Any]) -> int:
    losses = ("image_prior_weight", "attention_weight", "contrastive_weight")
    return sum(method[name] != "none" for name in ("mapping", "tokens")) + any(
        method[name] for name in losses
    )


class Setting(NamedTuple):
    num_frames: int
    sampling_steps: int
    guidance: float


def drawer(arm: Arm, setting: Setting) -> Callable[[Prompt, int, int], torch.Tensor]:
    """From a prompt, its number and a seed to frames; noise differs between prompts, not between arms."""

    def world(prompt: Prompt, number: int, seed: int) -> torch.Tensor:
        return make_clip(*prompt, setting.num_frames, seed=FIRST_SEED + 100 * number + seed).clip.frames

    if arm.name == WORLD:
        return world
    drawing = {"num_steps": setting.sampling_steps, "guidance": setting.guidance}
    if arm.name == ZERO:
        method: Any = Text2VideoZero(load_backbone("emojiworld"), **drawing)
    elif arm.name == UNTRAINED:
        method = Harivo(load_backbone("emojiworld"), mitigation=MitigatingGradient(0.0), **drawing)
    else:
        config = config_of(arm.run) if arm.run else default_config("tune", "method=harivo")
        weights = str(arm.run / "weights.safetensors") if arm.run else "emojiworld"
        more = {"weights": weights, "cache": None, **drawing}
        method = build_method({**config, "method": {**config["method"], **more}})
        method.mitigation = MitigatingGradient(arm.alpha)
    empty = Clip(torch.zeros(setting.num_frames, 3, 64, 64), (120,) * setting.num_frames)

    def draw(prompt: Prompt, number: int, seed: int) -> torch.Tensor:
        (clip,) = method.edit(empty, [prompt.text], seeded("prompt", number, seed))
        return clip.frames

    return draw


def file_of(work: Path, arm: Arm, number: int, seed: int) -> Path:
    return work / f"{arm.name.replace(' ', '_').replace(',', '')}-{number}-{seed}.npz"


def run(
    setting: Setting, arms: list[Arm], prompts: list[Prompt], seeds: list[int], work: Path, shard: str
) -> None:
    part, parts = map(int, shard.split("/"))
    for arm in arms:
        cells = list(itertools.product(seeds, range(len(prompts))))[part::parts]
        missing = [(n, seed) for seed, n in cells if not file_of(work, arm, n, seed).exists()]
        if not missing:
            continue
        draw = drawer(arm, setting)
        for number, seed in missing:
            started = time.perf_counter()
            frames = draw(prompts[number], number, seed)
            seconds = time.perf_counter() - started
            pixels = ((frames + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).numpy()
            file = file_of(work, arm, number, seed)
            with file.with_suffix(".part").open("wb") as stream:
                np.savez_compressed(stream, frames=pixels, seconds=seconds)
            file.with_suffix(".part").rename(file)
            print(f"{arm.name}, seed {seed}, {prompts[number].text}: {seconds:.1f} s", flush=True)


def read(file: Path) -> tuple[torch.Tensor, float]:
    saved = np.load(file)
    return torch.from_numpy(saved["frames"]).movedim(-1, 1).float() / 127.5 - 1, float(saved["seconds"])


def score(frames: torch.Tensor, prompt: Prompt, oracle: Oracle, clip: Any) -> dict[str, float]:
    """Shares of frames, whether the motion is the one asked for, and jitter of values in [0, 1]."""
    verdict = oracle.judge(frames)
    found = {
        name: float(np.mean([x == getattr(prompt, name) for x in getattr(verdict, name)]))
        for name in ("subject", "background", "style")
    }
    values = (frames + 1) / 2
    return {
        **found,
        "motion": float(shown_motion(frames, oracle) == prompt.motion),
        "mad": float(values.diff(dim=0).abs().mean()),
        "second": float(values.diff(n=2, dim=0).abs().mean()),
        "consistency": 100 * float(mean_cosine(clip.images(frames, "square"), "all")),
    }


def rows_of(arms: list[Arm], prompts: list[Prompt], seeds: list[int], work: Path) -> list[dict]:
    oracle, clip, rows = load_oracle(), load_clip("emojiworld"), []
    for arm, (number, prompt), seed in itertools.product(arms, enumerate(prompts), seeds):
        frames, seconds = read(file_of(work, arm, number, seed))
        facts = {
            "arm": arm.name,
            "prompt": number,
            "text": prompt.text,
            "held_out": prompt.held_out,
            "seed": seed,
        }
        shown = {"shown": shown_motion(frames, oracle), "asked": prompt.motion}
        rows.append(facts | shown | score(frames, prompt, oracle, clip) | {"seconds": seconds})
    return rows


def sections(rows: list[dict], arms: list[Arm]) -> str:
    first = next((arm.name for arm in arms if arm.run), SHIPPED)
    shown = partial(table, columns=SAID, unit="prompt")
    parts = [("All prompts", shown(rows)), (f"Paired differences from {first}", shown(rows, reference=first))]
    for said, wanted in (("Pairs that the image model has seen", False), ("Held-out pairs", True)):
        chosen = [row for row in rows if row["held_out"] == wanted]
        if len({row["prompt"] for row in chosen}) > 1:
            parts.append((said, shown(chosen)))
    return "\n\n".join(f"## {said}\n\n{found}" for said, found in parts)


def sheet(arms: list[Arm], prompts: list[Prompt], seed: int, work: Path, path: Path, count: int) -> None:
    shown = []
    for number, arm in itertools.product(range(min(count, len(prompts))), arms):
        frames, _ = read(file_of(work, arm, number, seed))
        shown.append((f"{arm.name}: {prompts[number].text}", Clip(frames, (120,) * len(frames))))
    contact_sheet(shown, path, min_tile=64)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, help="a folder of trainings, as of a sweep")
    parser.add_argument("--order", nargs="+", default=[], help="names of the trainings, the full method last")
    parser.add_argument("--work", type=Path, required=True, help="where the GIFs are kept")
    parser.add_argument("--out", type=Path, help="without it the tables are only printed")
    parser.add_argument("--prompts", type=int, default=20)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument(
        "--scales", type=float, nargs="+", default=[0, 40, 150], help="of the mitigating gradient"
    )
    parser.add_argument("--num-frames", type=int, default=8)
    parser.add_argument("--sampling-steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--samples", type=int, default=4, help="prompts on the sheet")
    parser.add_argument(
        "--shard", default="0/1", help="K/N: only every N-th GIF, from the K-th, and no table"
    )
    arguments = parser.parse_args()
    setting = Setting(arguments.num_frames, arguments.sampling_steps, arguments.guidance)
    arguments.work.mkdir(parents=True, exist_ok=True)
    arms = arms_of(arguments.runs, arguments.order, arguments.scales)
    prompts = prompts_of(arguments.prompts)
    run(setting, arms, prompts, arguments.seeds, arguments.work, arguments.shard)
    if not arguments.shard.endswith("/1"):
        return
    rows = rows_of(arms, prompts, arguments.seeds, arguments.work)
    facts = setting._asdict() | {"prompts": len(prompts), "seeds": arguments.seeds} | provenance()
    print(sections(rows, arms))
    if arguments.out:
        arguments.out.parent.mkdir(parents=True, exist_ok=True)
        arguments.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
        arguments.out.with_suffix(".md").write_text(f"{sections(rows, arms)}\n\n{json.dumps(facts)}\n")
        first = arguments.seeds[0]
        sheet(arms, prompts, first, arguments.work, arguments.out.with_suffix(".png"), arguments.samples)


if __name__ == "__main__":
    main()
