"""Measure what bfloat16 changes in edited GIFs of the embedded model.

    python benchmarks/precision.py --out docs/results/precision

The default settings of the main job, with its clips and edits (main_job.py). PSNR over the 8-bit frames of an
edit, against the same edit with everything in float32:

edited    the weights tuned in float32, inversion and edit in bfloat16
whole     tuned in bfloat16 too
seed      everything in float32 with another seed, which says how large a difference is to be expected of
          chance alone

Writes OUT.json (every edit) and OUT.md (means and the worst).
"""

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np
import torch
from main_job import ARMS, CLIPS, Setting, interval, provenance, tuned
from torchmetrics.functional.image import peak_signal_noise_ratio

from giftune.backbone.stable_diffusion import load_backbone
from giftune.emojiworld.captions import caption
from giftune.emojiworld.world import WorldClip, make_clip
from giftune.methods.giftune import GifTune

DEFAULT = Setting(150, 3e-3, 0.1, 3.0, 33)
SAID = {
    "edited": "inverted and edited in bfloat16",
    "whole": "tuned, inverted and edited in bfloat16",
    "seed": "another seed, in float32",
}


def compare(index: int) -> list[dict[str, str | int | float]]:
    subject, background, motion, other_subject, other_background, other_style = CLIPS[index]
    world = make_clip(subject, background, "plain", motion, num_frames=8, seed=100 + index)
    wishes = {
        "subject": (other_subject, background, "plain"),
        "background": (subject, other_background, "plain"),
        "style": (subject, background, other_style),
    }
    prompts = [caption(*wish, motion=motion) for wish in wishes.values()]
    exact = tuned(DEFAULT, ARMS["default"], world)
    with tempfile.TemporaryDirectory() as folder:
        exact.save(Path(folder) / "weights.safetensors")
        narrow = GifTune(_narrow(), guidance=DEFAULT.guidance, batch_size=len(prompts))
        narrow.load(Path(folder) / "weights.safetensors")
    others = {
        "edited": narrow,
        "whole": tuned(DEFAULT, ARMS["default"], world, _narrow()),
        "seed": tuned(DEFAULT._replace(seed=DEFAULT.seed + 1), ARMS["default"], world),
    }
    truth, rows = _drawn(exact, world, prompts), []
    for name, method in others.items():
        for edited, found, wanted in zip(wishes, _drawn(method, world, prompts), truth, strict=True):
            psnr = float(peak_signal_noise_ratio(found, wanted, data_range=255.0))
            rows.append({"comparison": name, "clip": index, "edit": edited, "psnr": psnr})
    return rows


def _narrow():
    return load_backbone("emojiworld", dtype="bfloat16")


def _drawn(method: GifTune, world: WorldClip, prompts: list[str]) -> list[torch.Tensor]:
    """Frames in whole grey levels from 0 to 255, as a file has them."""
    edits = method.edit(world.clip, prompts, torch.Generator().manual_seed(DEFAULT.seed))
    return [((clip.frames + 1) * 127.5).round().clamp(0, 255) for clip in edits]


def table(rows: list[dict]) -> str:
    lines = ["| | PSNR, dB | worst, dB | edits |", "|---|---|---|---|"]
    for name, said in SAID.items():
        mine = [row for row in rows if row["comparison"] == name]
        means = [
            np.mean([row["psnr"] for row in mine if row["clip"] == clip])
            for clip in dict.fromkeys(row["clip"] for row in mine)
        ]
        worst = min(row["psnr"] for row in mine)
        lines.append(f"| {said} | {interval(np.array(means))} | {worst:.1f} | {len(mine)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[0, 1, 2, 3], help="their numbers")
    given = parser.parse_args()
    rows = []
    for index in given.clips:
        rows += compare(index)
        print(f"clip {index} done", flush=True)
    facts = DEFAULT._asdict() | provenance()
    given.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
    given.out.with_suffix(".md").write_text(f"{table(rows)}\n\n{json.dumps(facts)}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
