"""`giftune train` from the command line, on a random checkpoint."""

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest
import torch
from omegaconf import OmegaConf
from safetensors.torch import load_file

from giftune.cli._build import build
from giftune.cli._progress import Bars
from giftune.cli._run import ROOT
from giftune.io.gif import read_gif
from tests.miniature import write_clip
from tests.test_configs import compose


@pytest.fixture
def common(tmp_path):
    return [
        f"paths.runs={tmp_path / 'runs'}",
        "corpus.num_frames=3",
        "corpus.size=32",
        "trainer.batch_size=2",
        "trainer.checkpoint_every=2",
        "trainer.workers=0",
    ]


@pytest.fixture
def settings(common, tmp_path, monkeypatch):
    """A method from the tests, without any network of its own to load."""
    monkeypatch.setattr("giftune.cli._build.ALLOWED", ("giftune.", "torch.optim.", "tests."))
    (tmp_path / "conf" / "method").mkdir(parents=True)
    toy = "_target_: tests.training.toy_learner.ToyLearner\nnoise: 0.1\n"
    (tmp_path / "conf" / "method" / "toy.yaml").write_text(toy)
    return [f"hydra.searchpath=[file://{tmp_path / 'conf'}]", "method=toy", *common, "trainer.max_steps=6"]


@pytest.fixture
def harivo(common, checkpoint):
    return [
        "method=harivo",
        "backbone=local",
        f"backbone.source={checkpoint}",
        "backbone.device=cpu",
        "method.image_prior_weight=0",
        "method.attention_weight=0",
        "method.contrastive_weight=0",
        *common,
    ]


@pytest.fixture
def gifs(tmp_path):
    """Two GIFs that can be used, and one of each kind that cannot."""
    folder = tmp_path / "gifs"
    folder.mkdir()
    for number, num_frames in enumerate((5, 4, 2)):
        write_clip(folder / f"{number}.gif", num_frames, seed=number)
    (folder / "3.gif").write_bytes(b"GIF89a, or so it says")
    rows = [f"https://gifs/{number}.gif\ta cat runs {number}\n" for number in range(5)]
    (folder / "tgif-v1.0.tsv").write_text("".join(rows) + "https://gifs/5.gif\t \n")
    return folder


def log(run):
    return [{**json.loads(line), "seconds": 0} for line in (run / "train.jsonl").read_text().splitlines()]


def test_a_run_folder_with_weights_and_nothing_to_do_again(giftune, settings, tmp_path):
    given = [*settings, "trainer.preview_every=4"]
    status, out, said = giftune("train", *given)
    assert (status, said) == (0, "") and "trained for 6 steps" in out
    (run,) = (tmp_path / "runs").iterdir()
    assert run.name.startswith("toy-emojiworld-")
    names = sorted(path.relative_to(run).as_posix() for path in run.rglob("[!.]*") if path.is_file())
    assert names == ["config.yaml", "overrides.yaml", "previews/step-000004.gif", "provenance.json",
                     "train.jsonl", "weights.safetensors"]  # fmt: skip
    assert list(OmegaConf.load(run / "overrides.yaml")) == given[1:]  # but for what is Hydra's own
    assert json.loads((run / "provenance.json").read_text())["corpus"] == "emojiworld"
    assert len(read_gif(run / "previews" / "step-000004.gif")) == 3
    line = log(run)[-1]
    assert line["step"] == 5 and line["raw"].keys() == line["weighted"].keys() == {"next", "size"}
    assert line["loss"] == pytest.approx(sum(line["weighted"].values()))

    before = {path: path.stat().st_mtime_ns for path in run.iterdir()}
    status, out, _ = giftune("train", *given)
    assert status == 0 and "trained" not in out and str(run) in out
    assert {path: path.stat().st_mtime_ns for path in run.iterdir()} == before


@pytest.mark.slow
def test_an_interrupted_run_ends_with_the_same_weights(giftune, settings, tmp_path, monkeypatch):
    assert giftune("train", *settings, "run_name=whole")[0] == 0

    def interrupt(self, stage, done, total):
        if done == 5:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Bars, "__call__", interrupt)
        status, _, said = giftune("train", *settings, "run_name=broken")
    assert status == 130 and said == "giftune train: interrupted; the same command resumes.\n"
    whole, broken = tmp_path / "runs" / "whole", tmp_path / "runs" / "broken"
    assert (broken / "checkpoints" / "last.ckpt").exists() and not (broken / "weights.safetensors").exists()
    assert giftune("train", *settings, "run_name=broken")[0] == 0
    one, two = (load_file(run / "weights.safetensors") for run in (whole, broken))
    assert one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)
    assert log(broken) == log(whole)


def test_useless_clips_are_counted_and_listed(giftune, settings, gifs, tmp_path):
    given = [*settings, "corpus=tgif", f"corpus.path={gifs}", "corpus.multiple=8"]
    status, out, said = giftune("train", *given)
    assert (status, said) == (0, "")
    assert "skipped 4 clips: 1 missing, 1 without caption, 1 " in out and "skipped.jsonl lists them" in out
    (run,) = (tmp_path / "runs").iterdir()
    lines = [json.loads(line) for line in (run / "skipped.jsonl").read_text().splitlines()]
    kinds = {line["clip"]: line["kind"] for line in lines}
    assert kinds == {"2.gif": "too short", "3.gif": "broken", "4.gif": "missing", "5.gif": "without caption"}
    for name in ("0.gif", "1.gif"):
        (gifs / name).write_bytes(b"GIF89a")
    status, _, said = giftune("train", *given, "seed=8")
    assert status == 2 and "none of the 4 clips can be used; the first: " in said and said.count("\n") == 1


@pytest.mark.parametrize(
    ("extra", "sentence"),
    [
        (["method=giftune"], "method=giftune does not learn from many clips"),
        (["corpus=webvid"], "corpus.path is missing"),
        (["corpus=tgif", "corpus.path=nowhere"], "corpus.path nowhere is not a folder"),
        (["trainer.max_steps=0"], "trainer.max_steps is 0"),
        (["trainer.accumulate=0"], "trainer.accumulate is 0"),
        (["training=harvo"], "training=harvo is not known; known are: harivo, "),
        (["trainer.average=1.5"], "trainer.average is 1.5"),
        (["corpus.num_frames=1"], "corpus.num_frames is 1"),
        (["optimizer.lr=-1"], "optimizer cannot be made"),
        (["corpus=imagenet"], "corpus=imagenet is not known; known are: emojiworld, tgif, webvid"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(giftune, settings, tmp_path, extra, sentence):
    if extra[0].startswith("corpus="):
        settings = [setting for setting in settings if not setting.startswith("corpus.")]
    status, _, said = giftune("train", *settings, *extra)
    assert status == 2 and sentence in said and said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("option", sorted(path.stem for path in (ROOT / "conf" / "corpus").glob("*.yaml")))
def test_every_option_composes(option, gifs, tmp_path):
    (gifs / "t.csv").write_text("videoid,contentUrl,duration,page_dir,name\n0,,,,a cat\n")
    more = {"webvid": [f"corpus.path={gifs}", "corpus.table=t.csv", "corpus.layout='{videoid}.gif'"],
            "tgif": [f"corpus.path={gifs}"]}.get(option, [])  # fmt: skip
    config = compose(f"corpus={option}", *more, "trainer=ddp_cpu", command="train")
    assert config["corpus"]["num_frames"] == config["recommended"]["num_frames"]
    assert build(config["corpus"], "corpus").digest is not None
    trainer = build(config["trainer"], "trainer")
    assert trainer.max_steps == 2000 and config["trainer"]["processes"] == 2
    assert len((ROOT / "conf" / "corpus" / f"{option}.yaml").read_text().splitlines()) <= 25


@pytest.mark.slow
def test_a_killed_process_ends_the_job_and_the_same_command_resumes(giftune, harivo, tmp_path):
    given = [*harivo, "run_name=x", "trainer=ddp_cpu", "trainer.max_steps=8"]
    run = tmp_path / "runs" / "x"
    job = subprocess.Popen(
        [sys.executable, "-m", "giftune.cli.main", "train", *given],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    try:
        deadline = time.monotonic() + 120
        while not (run / "checkpoints" / "last.ckpt").exists():
            assert job.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        workers = psutil.Process(job.pid).children()
        (victim,) = [worker for worker in workers if worker.environ()["RANK"] == "1"]
        victim.send_signal(signal.SIGKILL)
        _, said = job.communicate(timeout=60)
    finally:
        job.kill()
    assert job.returncode == 1
    assert "process 2 of 2 was killed (signal 9); the same command resumes." in said
    assert not any(worker.is_running() for worker in workers)
    done = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert done in (2, 4, 6)
    status, out, said = giftune("train", *given)
    assert (status, said) == (0, "") and out.count("trained for 8 steps") == 1
    assert [line["step"] for line in log(run)] == list(range(8))
    assert OmegaConf.load(run / "config.yaml").trainer.processes == 2
    weights = load_file(run / "weights.safetensors")
    assert weights and all(tensor.isfinite().all() for tensor in weights.values())
    names = {path.name for path in run.glob("[!.]*")}
    assert names == {"config.yaml", "overrides.yaml", "provenance.json", "train.jsonl", "weights.safetensors"}


@pytest.mark.slow
def test_a_sweep_trains_each_cell_once(giftune, settings, tmp_path):
    given = ["-m", *settings, "method.noise=0.1,0.2", "trainer.max_steps=2", "sweep_name=s"]
    status, out, said = giftune("train", *given)
    assert (status, said) == (0, "") and "2 of 2 cells are finished" in out
    cells = sorted((tmp_path / "runs" / "s").glob("method-noise-*"))
    assert len(cells) == 2 and all((cell / "weights.safetensors").exists() for cell in cells)
    noise = [OmegaConf.load(cell / "config.yaml").method.noise for cell in cells]
    assert sorted(noise) == [0.1, 0.2]
    before = [(cell / "weights.safetensors").stat().st_mtime_ns for cell in cells]
    (cells[1] / "cell.json").unlink()  # as if it had been killed when all was done but for saying so
    assert giftune("train", *given)[0] == 0
    assert [(cell / "weights.safetensors").stat().st_mtime_ns for cell in cells] == before
    status, _, said = giftune("train", *given, "optimizer.lr=0.5")
    assert status == 2 and "belongs to another configuration: its optimizer.lr is " in said


def test_what_suits_the_method_is_chosen_with_it():
    def settings(*given):
        config = compose(*given, command="train")
        return config["optimizer"]["lr"], config["trainer"]["average"], config["trainer"]["batch_size"]

    assert settings() == settings("method=harivo_temporal") == (1e-3, 0.999, 4)
    assert settings("method=pix2gif") == (5e-4, 0.999, 4)
    assert settings("method=pix2gif", "training=harivo") == (1e-3, 0.999, 4)
    assert settings("method=pix2gif", "optimizer.lr=1", "trainer.average=null", "trainer.batch_size=2") == (
        1, None, 2
    )  # fmt: skip
    assert compose("method=pix2gif_published", command="train")["trainer"]["warmup_steps"] == 10000
    assert settings("method=sdedit")[0] == 3e-3  # none of its own
    names = {path.stem for path in (ROOT / "conf" / "training").glob("*.yaml")}
    assert names <= {path.stem for path in (ROOT / "conf" / "method").glob("*.yaml")}


def test_parts_of_harivo_are_added_one_by_one():
    parts = ("mapping", "tokens", "image_prior_weight", "attention_weight", "contrastive_weight")
    arms = [compose(f"method=harivo{arm}", command="train")["method"]
            for arm in ("_temporal", "_mapping", "_tokens", "")]  # fmt: skip
    assert [tuple(arm[part] for part in parts) for arm in arms] == [
        ("none", "none", 0, 0, 0),
        ("conv3d", "none", 0, 0, 0),
        ("conv3d", "concat", 0, 0, 0),
        ("conv3d", "concat", 0.1, 0.1, 0.01),
    ]
