"""Measure how close few steps of each sampler come to the source and to an edit in many steps.

    python benchmarks/few_steps.py --out docs/results/few_steps

The embedded model, untuned, on clips and subject edits of main_job.py. Root mean square of latents, whose own
is near 1:

return    inversion and sampling under the empty prompt, against the source
edit      sampling at guidance 3 from that inversion, against 200 steps of inversion and sampling by the
          second-order sampler, and by DDIM, so that neither is preferred

Writes OUT.json (every clip) and OUT.md (means over clips).
"""

import argparse
import json
import statistics
from pathlib import Path

import torch
from main_job import CLIPS, provenance

from giftune.backbone.stable_diffusion import load_backbone
from giftune.emojiworld.captions import caption
from giftune.emojiworld.world import make_clip
from giftune.methods.giftune import GifTune
from giftune.sampling.solvers import DDIM, DPM_SOLVER, Solver

GUIDANCE, MANY = 3.0, 200
STEPS = (8, 10, 15, 20, 25, 50)
WAYS = {
    "ddim": (DDIM, DDIM),
    "dpm_solver": (DPM_SOLVER, DPM_SOLVER),
    "ddim, then dpm_solver": (DDIM, DPM_SOLVER),
}
COLUMNS = {
    "return": "return",
    "edit_dpm_solver": f"edit, against dpm_solver in {MANY}",
    "edit_ddim": f"edit, against ddim in {MANY}",
}


@torch.no_grad()
def compare(index: int, steps: tuple[int, ...]) -> list[dict[str, str | int | float]]:
    subject, background, motion, other, *_ = CLIPS[index]
    world = make_clip(subject, background, "plain", motion, num_frames=8, seed=100 + index)
    method = GifTune(load_backbone("emojiworld"))
    workspace, network = method.workspace, method.network
    source, _ = workspace.posterior(world.clip)
    empty = workspace.denoiser(network, [""])
    asked = workspace.denoiser(network, [caption(other, background, "plain", motion=motion)], GUIDANCE)

    def drawn(inversion: Solver, sampler: Solver, num_steps: int) -> tuple[torch.Tensor, torch.Tensor]:
        start = inversion.invert(empty, source, method.schedule, num_steps)
        return tuple(sampler.sample(denoise, start, method.schedule, num_steps) for denoise in (empty, asked))

    _, by_dpm_solver = drawn(DPM_SOLVER, DPM_SOLVER, MANY)
    _, by_ddim = drawn(DDIM, DDIM, MANY)
    rows = []
    for name, (inversion, sampler) in WAYS.items():
        for num_steps in steps:
            back, edit = drawn(inversion, sampler, num_steps)
            found = {
                "return": _rms(back - source),
                "edit_dpm_solver": _rms(edit - by_dpm_solver),
                "edit_ddim": _rms(edit - by_ddim),
            }
            rows.append({"clip": index, "way": name, "steps": num_steps} | found)
    return rows


def _rms(difference: torch.Tensor) -> float:
    return float(difference.pow(2).mean().sqrt())


def table(rows: list[dict]) -> str:
    head = [f"{name}: {said}" for name in WAYS for said in COLUMNS.values()]
    lines = ["| steps | " + " | ".join(head) + " |", "|---" * (len(head) + 1) + "|"]
    for steps in dict.fromkeys(row["steps"] for row in rows):
        cells = [
            statistics.mean(row[c] for row in rows if (row["way"], row["steps"]) == (name, steps))
            for name in WAYS
            for c in COLUMNS
        ]
        lines.append(f"| {steps} | " + " | ".join(f"{cell:.3f}" for cell in cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--clips", type=int, nargs="+", default=[0, 1], help="their numbers")
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS))
    given = parser.parse_args()
    rows = []
    for index in given.clips:
        rows += compare(index, tuple(given.steps))
        print(f"clip {index} done", flush=True)
    facts = {"guidance": GUIDANCE} | provenance()
    given.out.with_suffix(".json").write_text(json.dumps({"facts": facts, "rows": rows}, indent=1))
    given.out.with_suffix(".md").write_text(f"{table(rows)}\n\n{json.dumps(facts)}\n")
    print(table(rows))


if __name__ == "__main__":
    main()
