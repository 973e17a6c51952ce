import json
from pathlib import Path

import pytest

from giftune.cli.run_folder import RunFolder, identity, name_of
from giftune.errors import InputError

CONFIG = {
    "seed": 1,
    "backbone": {"source": "x", "device": "auto"},
    "method": {"norm": "pooled", "guidance": 5.0, "num_steps": 50, "cache": None},
    "loss": {},
    "optimizer": {"lr": 1e-4, "betas": (0.9, 0.999)},
    "trainer": {"max_steps": 10, "preview_every": 0},
    "edit": {"prompts": []},
    "paths": {"runs": "runs"},
}


def changed(**groups):
    return {key: {**value, **groups[key]} if key in groups else value for key, value in CONFIG.items()}


@pytest.fixture
def owner():
    return identity(CONFIG, "abc", "a cat")


def test_only_what_the_weights_depend_on_counts(owner):
    for same in (
        changed(backbone={"device": "cuda"}),
        changed(method={"guidance": 9.0, "num_steps": 20, "cache": "here"}),
        changed(trainer={"preview_every": 5}),
        changed(edit={"prompts": ["a dog"]}, paths={"runs": "elsewhere"}),
    ):
        assert identity(same, "abc", "a cat") == owner
    names = {
        name_of("cat", other)
        for other in (
            owner,
            identity(CONFIG, "abd", "a cat"),
            identity(CONFIG, "abc", "a dog"),
            identity({**CONFIG, "seed": 2}, "abc", "a cat"),
            identity(changed(method={"norm": "per_frame"}), "abc", "a cat"),
            identity(changed(optimizer={"lr": 2e-4}), "abc", "a cat"),
        )
    }
    assert len(names) == 6


@pytest.mark.parametrize("stem", ["cat", "../../etc", "ein Kätzchen", ".hidden", "x" * 300, "🐱", ""])
def test_names_are_safe(stem, owner):
    name = name_of(stem, owner)
    assert "/" not in name and name[0] not in ".-" and 8 < len(name) < 60 and name.isascii()


def test_a_folder_is_claimed_once(tmp_path, owner):
    folder = RunFolder(tmp_path / "runs" / "cat")
    folder.require(owner)
    assert not folder.path.exists()
    folder.claim(owner, {"commit": "1"})
    folder.claim(owner, {"commit": "2"})
    folder.require(owner)
    assert json.loads(folder.provenance.read_text())["commit"] == "1"
    assert folder.identity() == json.loads(json.dumps(owner))


def test_refuses_the_folder_of_another_run_and_names_the_difference(tmp_path, owner):
    folder = RunFolder(tmp_path)
    folder.claim(owner, {})
    with pytest.raises(InputError, match=r"its optimizer\.lr is 0\.0001, here 0\.5;"):
        folder.require(identity(changed(optimizer={"lr": 0.5}), "abc", "a cat"))
    with pytest.raises(InputError, match="its source clip is 'abc', here 'xyz'"):
        folder.require(identity(CONFIG, "xyz", "a cat"))


def test_refuses_what_is_no_run_folder(tmp_path, owner):
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(InputError, match="holds other files"):
        RunFolder(tmp_path).require(owner)
    with pytest.raises(InputError, match=r"holiday\.jpg is not a folder"):
        RunFolder(tmp_path / "holiday.jpg" / "run").require(owner)
    with pytest.raises(InputError, match="is not a run folder"):
        RunFolder(tmp_path).identity()


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a place where even root makes no folders")
def test_refuses_a_place_for_no_folders(owner):
    with pytest.raises(InputError, match="run folder /proc/giftune/run cannot be made"):
        RunFolder(Path("/proc/giftune/run")).claim(owner, {})


def test_refuses_a_folder_that_cannot_be_written(tmp_path, owner, monkeypatch):
    monkeypatch.setattr("os.access", lambda path, mode: False)  # root may write everywhere
    with pytest.raises(InputError, match="is not writable"):
        RunFolder(tmp_path / "run").require(owner)
