import shutil
from pathlib import Path

import pytest
import torch
from diffusers import MotionAdapter
from safetensors.torch import load_file, save_file

from giftune.backbone.snapshot import find_snapshot, load_network
from giftune.errors import InputError
from tests.motion_checkpoints import build_adapter

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "diffusion_pytorch_model.safetensors"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return build_adapter(tmp_path / "adapter")


@pytest.fixture
def cache(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that holds owner/name, as huggingface_hub leaves it; returns the snapshot."""
    root = tmp_path / "hub" / "models--owner--name"
    shutil.copytree(folder, root / "snapshots" / COMMIT)
    (root / "refs").mkdir()
    (root / "refs" / "main").write_text(COMMIT)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return root / "snapshots" / COMMIT


def find(source: str | Path, revision: str | None = None) -> Path:
    return find_snapshot("adapter", source, ["config.json", "*.safetensors"], "'owner/name'", revision)


def load(folder: Path, dtype: torch.dtype = torch.float32) -> MotionAdapter:
    return load_network(MotionAdapter, folder.parent, folder.name, dtype, "'owner/name'")


def test_a_folder_is_found_where_it_is(folder: Path) -> None:
    assert find(folder) == find(str(folder)) == folder


def test_what_is_in_the_cache_needs_no_network(cache: Path) -> None:
    assert find("owner/name") == find("owner/name", COMMIT) == cache


def test_only_what_is_needed_is_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    asked = []
    monkeypatch.setattr(
        "giftune.backbone.snapshot.snapshot_download",
        lambda hub_id, **settings: asked.append((hub_id, settings)) or str(tmp_path),
    )
    assert find("owner/name", "v1") == tmp_path
    wanted = {"revision": "v1", "allow_patterns": ["config.json", "*.safetensors"]}
    assert asked == [("owner/name", {**wanted, "ignore_patterns": ["*.fp16.*"]}), ("owner/name", wanted)]
    (tmp_path / "whole.safetensors").touch()
    find("owner/name")
    assert len(asked) == 3  # half precision is not asked for where there is something else


@pytest.mark.parametrize(
    ("source", "revision", "message"),
    [
        ("owner/other", None, "adapter 'owner/other' could not be fetched.*download 'owner/name' elsewhere"),
        ("owner/name", "v9", "'owner/name' at revision 'v9' could not be fetched"),
        ("/nowhere/adapter", None, "adapter '/nowhere/adapter' does not exist; .* on the hub, 'owner/name'"),
        ("owner--x/name", None, "could not be fetched"),
    ],
)
def test_what_is_nowhere_says_what_to_do(
    cache: Path, source: str, revision: str | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        find(source, revision)


def test_files_and_revisions_of_folders_are_refused(folder: Path) -> None:
    with pytest.raises(InputError, match=r"model\.safetensors' is a file; it must be a folder"):
        find(folder / WEIGHTS)
    with pytest.raises(InputError, match=r"revision is 'v1', but adapter .* is a local folder"):
        find(folder, "v1")


def test_equal_to_what_was_saved(folder: Path) -> None:
    network, saved = load(folder), load_file(folder / WEIGHTS)
    assert network.state_dict().keys() == saved.keys()
    assert all(torch.equal(value, saved[name]) for name, value in network.state_dict().items())
    assert not network.training and not any(p.requires_grad for p in network.parameters())


def test_half_precision_where_there_is_nothing_else(tmp_path: Path, folder: Path) -> None:
    half = load(build_adapter(tmp_path / "half", "fp16"), torch.bfloat16)
    assert half.dtype == torch.bfloat16
    whole = load(folder).state_dict()
    for name, value in half.state_dict().items():
        torch.testing.assert_close(value.float(), whole[name], rtol=2e-2, atol=1e-3)


def test_missing_and_damaged_files(folder: Path) -> None:
    path = folder / WEIGHTS
    tensors = load_file(path)
    save_file({name: value for name, value in tensors.items() if "mid_block" not in name}, path)
    with pytest.raises(
        InputError, match=r"lacks \d+ tensors of MotionAdapter, mid_block.*'owner/name' again"
    ):
        load(folder)
    path.write_bytes(b"no")
    with pytest.raises(InputError, match="does not load as MotionAdapter; download 'owner/name' again"):
        load(folder)
    path.unlink()
    with pytest.raises(
        InputError, match=r"no diffusion_pytorch_model\.safetensors; download 'owner/name' again"
    ):
        load(folder)
    (folder / "diffusion_pytorch_model.bin").touch()
    with pytest.raises(
        InputError, match=r"only diffusion_pytorch_model\.bin, .* code.*MotionAdapter\.from_pretr"
    ):
        load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(InputError, match=r"has no config\.json; download 'owner/name' again"):
        load(folder)
