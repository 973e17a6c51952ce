import os

os.environ["HF_HUB_OFFLINE"] = "1"  # read once, when huggingface_hub is imported

from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline

from giftune.backbone.stable_diffusion import Backbone, load_backbone
from tests.checkpoints import build_sd1, build_sd2


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have imported huggingface_hub before."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


@pytest.fixture
def rng() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="session")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sd1(tmp_path_factory.mktemp("checkpoints") / "sd1")


@pytest.fixture(scope="session")
def sd2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_sd2(tmp_path_factory.mktemp("checkpoints") / "sd2")


@pytest.fixture(params=["sd1", "sd2"])
def checkpoint(request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(request.param)


@pytest.fixture
def backbone(checkpoint: Path) -> Backbone:
    return load_backbone(checkpoint, device="cpu")


@pytest.fixture
def pipeline(checkpoint: Path) -> StableDiffusionPipeline:
    """The reference: diffusers reads the same folder its own way."""
    return StableDiffusionPipeline.from_pretrained(checkpoint, safety_checker=None, local_files_only=True)
