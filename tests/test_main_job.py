"""The main job from the command line to the GIFs, on a random checkpoint in miniature."""

import errno
import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch
from safetensors.torch import load_file

from giftune.cli.main import main
from giftune.io.gif import read_gif
from giftune.io.read import probe
from giftune.training.callbacks import EveryStep
from tests import miniature

PROMPTS = "edit.prompts=[a panda, the red ball, the beach]"


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return miniature.build(tmp_path_factory.mktemp("miniature"))


@pytest.fixture
def clip_path(tmp_path):
    return miniature.write_clip(tmp_path / "noise.gif")


@pytest.fixture
def tune(checkpoint, clip_path, tmp_path, capsys):
    """Runs the job in a folder of runs; returns status, run folder, stdout and stderr."""

    def call(*extra, runs="runs"):
        capsys.readouterr()
        status = main(["tune", *miniature.settings(checkpoint, tmp_path / runs, clip_path), *extra])
        folders = list((tmp_path / runs).iterdir()) if (tmp_path / runs).exists() else [None]
        return status, folders[-1] if len(folders) == 1 else None, *capsys.readouterr()

    return call


def content(run):
    """Every file of a run with its bytes, but for records of time and place."""
    files = {path.relative_to(run).as_posix(): path for path in run.rglob("*") if path.is_file()}
    timed = {
        "train.jsonl",
        "provenance.json",
        "config.yaml",
        "overrides.yaml",
        "edits/index.json",
        "stages.json",
    }
    return {name: path.read_bytes() for name, path in files.items() if name not in {*timed, "records.jsonl"}}


def test_everything_is_there(tune, clip_path):
    status, run, out, said = tune(PROMPTS)
    assert status == 0 and said == "" and run.name.startswith("noise-")
    names = {path.relative_to(run).as_posix() for path in run.iterdir()}
    assert names == {
        *("config.yaml", "overrides.yaml", "provenance.json", "train.jsonl", "weights.safetensors"),
        *(
            "edits",
            "source.gif",
            "contact_sheet.png",
            "side_by_side.gif",
            "records.jsonl",
            ".lock",
            "stages.json",
        ),
    }
    index = json.loads((run / "edits" / "index.json").read_text())
    assert [entry["prompt"] for entry in index] == ["a panda", "the red ball", "the beach"]
    source = read_gif(clip_path)
    for entry in index:
        edited = read_gif(run / "edits" / entry["file"])
        assert (edited.durations_ms, edited.loop) == (source.durations_ms, source.loop)
        assert (edited.height, edited.width) == (source.height, source.width)
        assert entry["file"] in out
    steps = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert [step["step"] for step in steps] == list(range(6)) and {"raw", "weighted", "lr"} <= set(steps[0])
    cache = run.parent.with_name("runs.cache")
    assert {name: len(list((cache / name).iterdir())) for name in ("inversions", "latents")} == {
        "inversions": 1,
        "latents": 1,
    }


def test_again_changes_nothing_and_more_prompts_draw_only_those(tune):
    _, run, _, _ = tune(PROMPTS)
    before, times = content(run), {path: path.stat().st_mtime_ns for path in run.rglob("*")}
    status, _, out, _ = tune(PROMPTS)
    assert status == 0 and "tuned" not in out and "drew" not in out
    assert {path: path.stat().st_mtime_ns for path in run.rglob("*")} == times
    status, _, out, _ = tune("edit.prompts=[a cat, a panda]")
    assert "drew 1 edit in" in out and "tuned" not in out
    after = content(run)
    changed = {name for name in after if after[name] != before.get(name)}
    drawn = {name for name in changed if "edits/a-cat-" in name}
    assert changed == {"contact_sheet.png", "side_by_side.gif", *drawn}


def test_the_seed_decides_every_byte(tune):
    _, one, _, _ = tune(PROMPTS, runs="one")
    _, two, _, _ = tune(PROMPTS, runs="two")
    _, other, _, _ = tune(PROMPTS, "seed=4", runs="other")
    assert content(one) == content(two)
    a, b = (load_file(run / "weights.safetensors") for run in (one, other))
    assert any(not a[name].equal(b[name]) for name in a) and one.name == two.name != other.name


SLOW = pytest.mark.slow


@pytest.mark.parametrize("step", [pytest.param(1, marks=SLOW), 2, pytest.param(5, marks=SLOW)])
def test_an_interrupt_resumes_to_the_same_bits(tune, monkeypatch, step):
    _, whole, _, _ = tune(PROMPTS, runs="whole")
    proceed = EveryStep.on_train_batch_end

    def interrupted(self, trainer, *rest):
        if trainer.global_step == step:
            raise KeyboardInterrupt
        proceed(self, trainer, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(EveryStep, "on_train_batch_end", interrupted)
        status, broken, _, said = tune(PROMPTS, runs="broken")
    assert status == 130 and said == "giftune tune: interrupted; the same command resumes.\n"
    assert not (broken / "weights.safetensors").exists()
    assert tune(PROMPTS, runs="broken")[0] == 0
    assert content(broken) == content(whole)


@pytest.mark.slow
def test_a_kill_resumes_to_the_same_bits(tune, checkpoint, clip_path, tmp_path):
    _, whole, _, _ = tune("trainer.max_steps=60", runs="whole")
    given = miniature.settings(checkpoint, tmp_path / "broken", clip_path)
    command = [sys.executable, "-m", "giftune.cli.main", "tune", *given, "trainer.max_steps=60"]
    process = subprocess.Popen(command)
    while process.poll() is None and not list((tmp_path / "broken").glob("*/checkpoints/last.ckpt")):
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    _, broken, _, _ = tune("trainer.max_steps=60", runs="broken")
    assert content(broken) == content(whole)
    assert len((broken / "train.jsonl").read_text().splitlines()) == 60


def test_a_full_disk_is_said_and_leaves_what_was_there(tune, monkeypatch):
    _, run, _, _ = tune(PROMPTS)
    before = content(run)

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        status, _, _, said = tune("edit.prompts=[a cat]")
        assert status == 2 and "No space left on device" in said and said.count("\n") == 1
        assert content(run) == before
        status, other, _, said = tune(runs="other")
        assert status == 2 and "No space left on device" in said and other is None
    assert tune(runs="other")[0] == 0


def test_divergence_is_said_and_the_last_good_weights_are_kept(tune):
    status, run, _, said = tune("optimizer.lr=1e30", "trainer.gradient_clip=null")
    assert status == 1 and "tuning diverged:" in said and "at step" in said and said.count("\n") == 1
    good = load_file(run / "last_good_weights.safetensors")
    assert all(tensor.isfinite().all() for tensor in good.values())
    assert not (run / "weights.safetensors").exists()


def test_a_folder_of_another_run_is_left_alone(tune, tmp_path):
    _, run, _, _ = tune("run_name=mine")
    before = content(run)
    for change, name in (("optimizer.lr=1e-3", "optimizer.lr"), ("data.start=1", "source clip")):
        status, _, _, said = tune("run_name=mine", change)
        assert status == 2 and f"belongs to another run: its {name} is" in said
    (tmp_path / "runs" / "photos").mkdir()
    (tmp_path / "runs" / "photos" / "a.jpg").touch()
    status, _, _, said = tune("run_name=photos")
    assert status == 2 and "holds other files" in said
    assert content(run) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        ["method=tune_a_video"],
        ["pattern=window", "temporal=none"],
        ["inversion=none", "edit.guidance=1"],
        ["trainer.max_steps=0"],
        ["data.fit=crop", "data.num_frames=3", "edit.quality=small"],
        ["loss=[reconstruction]", "loss.reconstruction.module.min_snr_gamma=5"],
        ["backbone.dtype=bfloat16", "method.gradient_checkpointing=true"],
    ],
    ids=" ".join,
)
def test_variants(tune, change):
    status, run, _, said = tune(*change, "edit.prompts=[a panda]")
    assert status == 0 and said == ""
    (edited,) = (run / "edits").glob("*.gif")
    frames = read_gif(edited).frames
    assert frames.isfinite().all() and frames.std() > 0
    weights = load_file(run / "weights.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}


REAL = (
    *(f"videos/{name}.mp4" for name in ("car-turn", "man-skiing", "man-surfing", "rabbit-watermelon")),
    *(f"published/source/{name}.gif" for name in ("bear-guitar", "man-basketball", "rabbit-watermelon")),
)


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL)
def test_real_clips(checkpoint, shared_folder, tmp_path, name):
    given = miniature.settings(checkpoint, tmp_path, shared_folder / name)
    few = ["trainer.max_steps=1", "edit.num_steps=1", "data.max_frames=4", "edit.prompts=[a panda]"]
    assert main(["tune", *given, *few]) == 0
    (run,) = tmp_path.iterdir()
    (edit,) = (run / "edits").glob("*.gif")
    source, edited = probe(shared_folder / name), read_gif(edit)
    assert (edited.width, edited.height, len(edited)) == (source.width, source.height, 4)
    assert sum(edited.durations_ms) == pytest.approx(source.duration_ms, abs=10)
