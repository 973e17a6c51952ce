"""Count the floating-point operations of tuning and editing with Stable Diffusion 1.x, without doing them.

    python benchmarks/operations.py                        # 24 frames of 512 x 512, and DAVIS as a whole
    python benchmarks/operations.py --frames 4 --size 256

A multiplication and an addition are two operations; the autoencoder and the text encoder are left out. Exact
for the networks, so only a machine's sustained rate has to be known to say how long something takes.
"""

import argparse
import json
from importlib.resources import files

import torch
from diffusers import UNet2DConditionModel
from torch.utils.flop_counter import FlopCounterMode

from giftune.attention.patterns import sparse_causal
from giftune.unet.inflate import inflate
from giftune.unet.trainable import select_trainable

LEARNING = ("attn1.to_q", "attn2.to_q", "temporal")
CLIPS, EDITS, STEPS, SAMPLING = 42, 140, 500, 50


def count(frames: int, size: int) -> dict[str, float]:
    """Of a forward pass and of a step of tuning, for one clip."""
    config = json.loads((files("giftune.backbone") / "configs" / "sd1" / "unet" / "config.json").read_text())
    with torch.device("meta"):
        unet = UNet2DConditionModel.from_config(config)
    network = inflate(unet, sparse_causal).to("meta")
    select_trainable(network, LEARNING, ())
    latents = torch.randn(1, 4, frames, size // 8, size // 8, device="meta")
    text = torch.randn(1, 77, 768, device="meta")
    t = torch.zeros(1, dtype=torch.long, device="meta")
    with FlopCounterMode(display=False) as forward, torch.no_grad():
        network(latents, t, text)
    with FlopCounterMode(display=False) as tuning:
        network(latents, t, text).sum().backward()
    return {"forward": forward.get_total_flops(), "tuning": tuning.get_total_flops()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--frames", type=int, default=24)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rates", type=float, nargs="+", default=[100, 200, 400], help="TFLOP/s sustained")
    given = parser.parse_args()
    found = count(given.frames, given.size)
    tuned = STEPS * found["tuning"] + SAMPLING * found["forward"]  # with the inversion
    edit = SAMPLING * 2 * found["forward"]
    whole = CLIPS * tuned + EDITS * edit
    untuned = CLIPS * SAMPLING * found["forward"] + EDITS * edit
    print(f"{given.frames} frames of {given.size} x {given.size}:")
    print(
        f"a step of tuning {found['tuning'] / 1e12:.1f}, of inversion {found['forward'] / 1e12:.1f},", end=" "
    )
    print(f"a guided one {2 * found['forward'] / 1e12:.1f} TFLOP")
    print(f"a clip of {STEPS} steps {tuned / 1e15:.1f}, an edit of {SAMPLING} {edit / 1e15:.2f} PFLOP")
    print(f"{CLIPS} clips and {EDITS} edits: {whole / 1e15:.0f} PFLOP, without tuning {untuned / 1e15:.0f}")
    for rate in given.rates:
        hours, less = (total / (rate * 1e12) / 3600 for total in (whole, untuned))
        print(f"at {rate:g} TFLOP/s: {hours:.1f} hours, without tuning {less:.1f}")


if __name__ == "__main__":
    main()
