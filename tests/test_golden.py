"""The first 20 losses of a fixed run, digit for digit as far as machines agree.

After an intended change: delete the file, run this test twice, and explain the new numbers in the commit.
"""

import json
from functools import partial
from pathlib import Path

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.temporal import TemporalConsistency
from giftune.methods.giftune import GifTune
from giftune.training.tuner import Tuner
from tests.checkpoints import build_sd1

GOLDEN = Path(__file__).parent / "golden" / "losses.txt"


def losses(folder):
    generator = torch.Generator().manual_seed(1)
    clip = Clip(torch.rand(4, 3, 32, 32, generator=generator) * 2 - 1, (40,) * 4)
    method = GifTune(load_backbone(build_sd1(folder / "checkpoint"), device="cpu"), seed=2)
    loss = WeightedSum({"reconstruction": (Reconstruction(), 1.0), "temporal": (TemporalConsistency(), 0.1)})
    optimizer = partial(torch.optim.AdamW, lr=1e-2, weight_decay=0.01)
    Tuner(max_steps=20).fit(method, method.prepare(clip, "a cat runs"), loss, optimizer, folder, seed=3)
    return [json.loads(line)["loss"] for line in (folder / "train.jsonl").read_text().splitlines()]


def test_twenty_losses(tmp_path):
    found = losses(tmp_path)
    if not GOLDEN.exists():
        GOLDEN.write_text("".join(f"{step} {loss!r}\n" for step, loss in enumerate(found)))
        pytest.fail(f"{GOLDEN.name} was missing and has been written")
    golden = [float(line.split()[1]) for line in GOLDEN.read_text().splitlines()]
    assert found == pytest.approx(golden, rel=1e-5)
    assert len(set(found)) == 20
