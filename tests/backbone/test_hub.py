import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline

from giftune.backbone.folder import load_folder
from giftune.backbone.hub import HUB_ID, download
from giftune.errors import InputError

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(sd1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds owner/name, as huggingface_hub leaves it; returns the snapshot."""
    root = tmp_path / "models--owner--name"
    shutil.copytree(sd1, root / "snapshots" / COMMIT)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return root / "snapshots" / COMMIT


def test_what_is_in_the_cache_needs_no_network(cache: Path) -> None:
    assert download("owner/name") == cache
    load_folder(download("owner/name", revision=COMMIT), torch.float32)


def test_what_is_not_says_what_to_do(cache: Path) -> None:
    with pytest.raises(InputError, match=r"'owner/other' could not be fetched.*local diffusers folder"):
        download("owner/other")
    with pytest.raises(InputError, match="'owner/name' at revision 'v9' could not be fetched"):
        download("owner/name", revision="v9")


def test_code_of_the_checkpoint_is_not_run(cache: Path, tmp_path: Path) -> None:
    (cache / "pipeline.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    index = json.loads((cache / "model_index.json").read_text())
    (cache / "model_index.json").write_text(json.dumps({**index, "_class_name": ["pipeline", "Evil"]}))
    try:
        load_folder(download("owner/name"), torch.float32)
    except InputError as error:
        assert "owner/name" in str(error)
    assert not (tmp_path / "ran").exists()


def test_only_what_is_needed_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = {}
    monkeypatch.setattr(
        DiffusionPipeline, "download", lambda hub_id, **settings: asked.update(settings) or tmp_path
    )
    assert download("owner/name", revision="v1", variant="fp16") == tmp_path
    assert asked == {
        "revision": "v1",
        "variant": "fp16",
        "use_safetensors": True,
        "trust_remote_code": False,
        "safety_checker": None,
        "feature_extractor": None,
    }


@pytest.mark.parametrize("half", [True, False])
def test_half_precision_is_the_second_choice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, half: bool
) -> None:
    def offer(hub_id: str, variant: str | None, **settings) -> Path:
        if half and variant == "fp16":
            return tmp_path
        raise OSError(f"Could not find the necessary `safetensors` weights (variant={variant})")

    monkeypatch.setattr(DiffusionPipeline, "download", offer)
    if half:
        assert download("owner/name") == tmp_path
    else:
        with pytest.raises(InputError, match=r"'owner/name' offers no safetensors.*save_pretrained"):
            download("owner/name")


@pytest.mark.parametrize("name", ["owner/name", "stable-diffusion-v1-5/stable-diffusion-v1-5", "a/b_c.d-1"])
def test_ids_of_the_hub(name: str) -> None:
    assert HUB_ID.fullmatch(name)


@pytest.mark.parametrize(
    "name", ["name", "/owner/name", "./name", "../name", "a/b/c", "~/name", "a/", "é/b", ""]
)
def test_paths_are_no_ids(name: str) -> None:
    assert not HUB_ID.fullmatch(name)
