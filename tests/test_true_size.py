"""Stable Diffusion 1.x in its true size: 1.07 billion random weights, 4.3 GB on disk while this runs."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.checkpoints import build_sd1_true_size
from tests.compvis import write_single_file

pytestmark = pytest.mark.slow

UNET, VAE, TEXT = 859_520_964, 83_653_863, 123_060_480
# In a process of its own, so that the peak of the memory is that of loading, and all of it is given back.
SCRIPT = """
import json, resource, sys, torch
from giftune.backbone.latents import decode, encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.backbone.text import encode_prompts
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
b = load_backbone(sys.argv[1], device="cpu", dtype="bfloat16")
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with torch.no_grad():
    text = encode_prompts(b.tokenizer, b.text_encoder, ["a panda is surfing"])
    latents = encode(b.vae, torch.zeros(1, 3, 64, 64)).mean
    noise = b.unet(latents.transpose(0, 1).to(b.dtype), 500, text).sample
    frames = decode(b.vae, noise[:, :, None].float())
print(json.dumps({
    "sizes": [sum(p.numel() for p in n.parameters()) for n in (b.unet, b.vae, b.text_encoder)],
    "gigabytes": (peak - start) / 2**20,
    "ids": b.tokenizer("a photo of a cat").input_ids,
    "finite": all(bool(x.isfinite().all()) for x in (text, latents, noise, frames)),
    "noise": noise.float().flatten()[:8].tolist(),
}))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("true_size")
    yield build_sd1_true_size(folder / "sd1")
    shutil.rmtree(folder)  # pytest would keep it


def load(source: Path) -> dict:
    result = subprocess.run([sys.executable, "-c", SCRIPT, source], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_it_loads_as_a_folder_and_as_a_file(folder: Path) -> None:
    single = write_single_file(folder, folder.parent / "sd1.safetensors")
    results = [load(source) for source in (folder, single)]
    for found in results:
        assert found["sizes"] == [UNET, VAE, TEXT]
        assert found["ids"] == [49406, 320, 1125, 539, 320, 2368, 49407]
        assert found["finite"]
        assert found["gigabytes"] < 2.2 * 2 * (UNET + VAE + TEXT) / 2**30  # the file and the weights, no more
    assert results[0]["noise"] == pytest.approx(results[1]["noise"], rel=0.05, abs=0.01)
    assert max(map(abs, results[0]["noise"])) > 1e-3


TUNE = """
import json, sys, torch
from functools import partial
from pathlib import Path
from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.losses.combination import WeightedSum
from giftune.losses.reconstruction import Reconstruction
from giftune.methods.giftune import GifTune
from giftune.training.tuner import Tuner
folder, out = map(Path, sys.argv[1:])
method = GifTune(load_backbone(folder, device="cpu", dtype="float32"), gradient_checkpointing=True)
clip = Clip(torch.rand(4, 3, 256, 256, generator=torch.Generator().manual_seed(0)) * 2 - 1, (100,) * 4)
before = {n: p.detach().clone() for n, p in method.network.named_parameters() if p.requires_grad}
batch, loss = method.prepare(clip, "a cat runs"), WeightedSum({"r": (Reconstruction(), 1.0)})
make_optimizer = partial(torch.optim.AdamW, lr=1e-3, weight_decay=0)
Tuner(max_steps=1).fit(method, batch, loss, make_optimizer, out, seed=0)
tuned = {n: p for n, p in method.network.named_parameters() if p.requires_grad}
moved = [not torch.equal(before[n], p) for n, p in tuned.items()]
method.save(out / "weights.safetensors")
kept = {n: p.detach().clone() for n, p in tuned.items()}
with torch.no_grad():
    for p in tuned.values():
        p.zero_()
method.load(out / "weights.safetensors")
print(json.dumps({
    "values": sum(p.numel() for p in tuned.values()), "tensors": len(tuned), "moved": sum(moved),
    "bytes": (out / "weights.safetensors").stat().st_size,
    "back": all(torch.equal(kept[n], p) for n, p in tuned.items()),
}))
"""


def test_it_tunes_one_step_and_the_weights_load_back(folder: Path, tmp_path: Path) -> None:
    result = subprocess.run([sys.executable, "-c", TUNE, folder, tmp_path], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout.splitlines()[-1])
    assert (found["values"], found["tensors"]) == (74_354_880, 112)
    # behind a projection that starts at zero, the temporal queries, keys and values get no gradient yet
    assert found["moved"] == 112 - 3 * 16
    assert found["bytes"] == pytest.approx(4 * found["values"], rel=0.001)  # 298 MB
    assert found["back"]
    (tmp_path / "weights.safetensors").unlink()
