import pytest
import torch

from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.methods.kept_latents import KeptLatents
from tests.checkpoints import build_sd1


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    return load_backbone(build_sd1(tmp_path_factory.mktemp("kept") / "checkpoint"), device="cpu")


@pytest.fixture
def encodings(backbone, monkeypatch):
    """How many frames the autoencoder has encoded."""
    counted, real = [], backbone.vae.encode
    monkeypatch.setattr(backbone.vae, "encode", lambda x: counted.append(len(x)) or real(x))
    return counted


def clips(count, frames=3):
    return torch.rand(count, frames, 3, 16, 16, generator=torch.Generator().manual_seed(count)) * 2 - 1


def test_they_are_the_autoencoders_own_and_encoded_once(backbone, encodings):
    kept, frames = KeptLatents(backbone), clips(2)
    mean, std = kept(frames)
    for number, clip in enumerate(frames):
        wanted = encode(backbone.vae, clip)
        assert mean[number].equal(wanted.mean) and std[number].equal(wanted.std)
    before = sum(encodings)
    again = kept(frames.flip(0).clone())
    assert again[0].equal(mean.flip(0)) and again[1].equal(std.flip(0)) and sum(encodings) == before
    kept(torch.stack([frames[0], frames[0] + 1e-6]))  # nearly the same is another clip
    assert sum(encodings) == before + 3


def test_the_oldest_are_forgotten(backbone, encodings):
    frames = clips(3)
    one = sum(part.nbytes for part in KeptLatents(backbone)(frames[:1]))
    kept = KeptLatents(backbone, most_bytes=2 * one)
    for number in (0, 1, 0, 2):  # 1 is now the one that was not seen for longest
        kept(frames[number : number + 1])
    encodings.clear()
    kept(frames[[0, 2]])
    assert not encodings
    kept(frames[[1]])
    assert sum(encodings) == 3
