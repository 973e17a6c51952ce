from pathlib import Path

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.methods.giftune import GifTune
from tests.checkpoints import build_sd1, build_sd2


@pytest.fixture(scope="session")
def folders(tmp_path_factory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("checkpoints")
    return {"sd1": build_sd1(root / "sd1"), "sd2": build_sd2(root / "sd2")}


@pytest.fixture
def make_method(folders):
    def make(kind="sd1", backbone=None, **settings) -> GifTune:
        settings = {"num_steps": 4, "inversion_steps": 4, "guidance": 3.0, **settings}
        return GifTune(backbone or load_backbone(folders[kind], device="cpu"), **settings)

    return make


@pytest.fixture
def clip() -> Clip:
    generator = torch.Generator().manual_seed(7)
    frames = torch.rand(3, 3, 16, 24, generator=generator) * 2 - 1
    return Clip(frames, (40, 50, 60), loop=2, name="noise")


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)
