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
