"""Tiny random networks in the formats of the real ones, and clips with known motion."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when huggingface_hub is imported

import pytest
import torch
from torch.nn.functional import normalize

from tests.metrics.tiny_networks import build_clip, build_depth


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(5)


@pytest.fixture
def noise(generator):
    """Colours change smoothly, so that resizing does not wash everything out."""

    def make(num_frames=3, height=24, width=40):
        coarse = torch.rand(num_frames, 3, 6, 6, generator=generator) * 2 - 1
        return torch.nn.functional.interpolate(coarse, (height, width), mode="bilinear")

    return make


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    return build_clip(tmp_path_factory.mktemp("networks") / "clip")


@pytest.fixture(scope="session")
def depth_folder(tmp_path_factory):
    return build_depth(tmp_path_factory.mktemp("networks") / "depth")


class Projector:
    """In the place of CLIP: frames and prompts to unit vectors, each view its own."""

    name, logit_scale, width = "projector", 7.0, 4

    def images(self, frames, view="centre_crop"):
        return self._project(frames.flatten(1), f"images {view}")

    def pooled(self, frames, view="centre_crop"):
        return self._project(frames.flatten(1), f"pooled {view}")

    def texts(self, prompts):
        letters = torch.stack([torch.tensor([float(p.count(c)) for c in "abcdefghij"]) for p in prompts])
        return self._project(letters, "texts")

    def _project(self, values, key):
        generator = torch.Generator().manual_seed(sum(key.encode()))
        return normalize(values @ torch.randn(values.shape[1], self.width, generator=generator), dim=1)


@pytest.fixture
def projector():
    return Projector()
