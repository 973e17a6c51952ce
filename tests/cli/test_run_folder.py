import json
from pathlib import Path

import pytest

from giftune.cli.run_folder import RunFolder, identity, name_of
from giftune.errors import InputError
from giftune.io.atomic import write_text

CONFIG = {
    "seed": 1,
    "backbone": {"source": "x", "device": "auto"},
    "method": {
        "_target_": "giftune.methods.giftune.GifTune",
        "norm": "pooled",
        "guidance": 5.0,
        "num_steps": 50,
        "cache": None,
        "control": {"_target_": "giftune.methods.controlled.no_control"},
        "tune_with_control": True,
    },
    "loss": {"background": {"module": {"cache": None, "depth": {"download": True}}}},
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
        changed(loss={"background": {"module": {"cache": "/there", "depth": {"download": False}}}}),
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


def test_control_counts_only_where_it_was_tuned_with(owner):
    depth = {"weights": {"source": "x", "device": "auto"}, "scale": 1.0}
    in_edits = changed(method={"control": depth, "tune_with_control": False})
    assert identity(in_edits, "abc", "a cat") == owner
    tuned = identity(changed(method={"control": depth}), "abc", "a cat")
    assert tuned != owner and tuned["method.control.scale"] == 1.0
    elsewhere = {"weights": {"source": "x", "device": "cuda"}, "scale": 1.0}
    assert identity(changed(method={"control": elsewhere}), "abc", "a cat") == tuned


def test_without_tuning_the_method_alone_counts():
    def of(target, **other):
        method = {"_target_": f"giftune.methods.{target}", "strength": 0.5, "num_steps": 50}
        return identity({**CONFIG, "method": method, **other}, "abc", "a cat")

    sdedit = of("frame_wise.FrameWise")
    assert of("frame_wise.FrameWise", trainer={"max_steps": 3}, loss={}, optimizer={}) == sdedit
    assert of("frame_wise.FrameWise", backbone={"source": "y"}) != sdedit
    assert of("frame_wise.FrameWise", seed=2) != sdedit
    external = of("external.External")
    assert of("external.External", backbone={"source": "y"}) == external != sdedit


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


@pytest.fixture
def tuned(tmp_path, owner):
    """A finished run."""
    folder = RunFolder(tmp_path / "tuned")
    folder.claim(owner, {"method": "tune_a_video"})
    folder.weights.write_bytes(b"weights")
    folder.log.write_text("log")
    return folder


def test_a_run_tuned_alike_is_found_when_it_is_finished(tmp_path, owner, tuned):
    folder = RunFolder(tmp_path / "new")
    assert folder.tuned_alike(owner) == tuned and tuned.method() == "tune_a_video"
    assert tuned.tuned_alike(owner) is None, "itself"
    assert folder.tuned_alike(identity(CONFIG, "xyz", "a cat")) is None
    (tmp_path / "a damaged one").mkdir()
    (tmp_path / "a damaged one" / "provenance.json").write_text("[")
    assert folder.tuned_alike(owner) == tuned
    tuned.weights.unlink()
    assert folder.tuned_alike(owner) is None


@pytest.mark.parametrize("links", [True, False])
def test_taking_links_or_copies_and_leaves_the_other_as_it_is(tmp_path, owner, tuned, monkeypatch, links):
    def refuse(*paths):
        raise OSError("no links here")

    folder = RunFolder(tmp_path / "new")
    folder.claim(owner, {})
    folder.checkpoints.mkdir()
    with monkeypatch.context() as patch:
        if not links:
            patch.setattr("os.link", refuse)
        folder.take(tuned)
    assert folder.weights.read_bytes() == b"weights" and folder.log.read_text() == "log"
    assert folder.weights.samefile(tuned.weights) is links and not folder.checkpoints.exists()
    write_text(folder.log, "tuned again")
    assert tuned.log.read_text() == "log"


def test_of_two_that_claim_one_folder_the_second_is_refused(tmp_path, owner):
    RunFolder(tmp_path).claim(owner, {})
    with pytest.raises(InputError, match="belongs to another run"):
        RunFolder(tmp_path).claim(identity(CONFIG, "xyz", "a cat"), {})
    (tmp_path / "only").mkdir()
    (tmp_path / "only" / ".lock").touch()  # of a process that was killed early
    RunFolder(tmp_path / "only").require(owner)
