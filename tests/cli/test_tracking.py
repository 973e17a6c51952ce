"""What loggers get to know of a run. The W&B files are read back by W&B itself."""

import csv
import json
import os
import pwd
import socket
import sys

import pytest
import wandb
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from giftune.io.gif import read_gif
from tests.cli.wandb_files import of_type, records

SCALARS = {
    "loss/total",
    "loss/reconstruction",
    "loss/temporal",
    "loss_weighted/reconstruction",
    "loss_weighted/temporal",
    "lr",
    "step_seconds",
    "memory/rss_mib",
}
PROMPTS = ["edit.prompts=[a panda, the beach]", "trainer.preview_every=3"]


@pytest.fixture
def jane(tmp_path, monkeypatch):
    """A user with a home, a name and secrets, who is not logged in to W&B."""
    home = tmp_path / "home" / "jane_doe_4711"
    home.mkdir(parents=True)
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR", "WANDB_RUN_ID", "WANDB_SWEEP_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("USER", "LOGNAME", "USERNAME"):
        monkeypatch.setenv(name, home.name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("NETRC", str(home / ".netrc"))
    monkeypatch.setenv("SOME_SERVICE_TOKEN", "do-not-tell-4711")
    monkeypatch.setenv("SOME_VARIABLE", "variable-of-jane-4711")
    wandb.teardown()
    yield home
    wandb.teardown()


def expected_scores(run):
    lines = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    return {
        f"score/{name}/{line['file'].removeprefix('edits/').removesuffix('.gif')}": score["value"]
        for line in lines
        for name, score in line["scores"].items()
    }


def test_csv_and_tensorboard_say_the_same(giftune, settings, tmp_path):
    for logger in ("csv", "tensorboard"):
        apart = [f"paths.runs={tmp_path / logger}", "run_name=x"]
        assert giftune("tune", *settings, *PROMPTS, f"logger={logger}", *apart)[0] == 0
    (table,) = (tmp_path / "csv").rglob("metrics.csv")
    rows = list(csv.DictReader(table.open()))
    board = tmp_path / "tensorboard" / "x"
    events = EventAccumulator(str(board / "tensorboard"), size_guidance={"scalars": 0, "images": 0}).Reload()
    scores = expected_scores(board)
    assert scores and set(rows[0]) - {"step"} == set(events.Tags()["scalars"])
    means = {"score_mean/flicker", "score_mean/loop_seam"}
    assert set(events.Tags()["scalars"]) == SCALARS | scores.keys() | means
    for name in ("loss/total", "loss_weighted/temporal", "lr", *scores):
        table_says = [(int(row["step"]), float(row[name])) for row in rows if row[name]]
        board_says = [(event.step, pytest.approx(event.value)) for event in events.Scalars(name)]
        assert table_says == board_says
    log = [json.loads(line) for line in (board / "train.jsonl").read_text().splitlines()]
    assert [event.value for event in events.Scalars("loss/total")] == pytest.approx([x["loss"] for x in log])
    assert [event.step for event in events.Images("preview")] == [2, 5]
    assert events.Images("source")[0].encoded_image_string == (board / "source.gif").read_bytes()
    assert len([tag for tag in events.Tags()["images"] if tag.startswith("edit/a-panda")]) == 1


def test_weights_of_another_run_bring_their_log(giftune, settings, tmp_path):
    for run, logger in (("first", "none"), ("second", "csv")):
        extra = [f"run_name={run}", f"logger={logger}", "edit.prompts=[a panda]"]
        assert giftune("tune", *settings, *extra)[0] == 0
    log = (tmp_path / "runs" / "first" / "train.jsonl").read_text().splitlines()
    (table,) = (tmp_path / "runs" / "second").rglob("metrics.csv")
    losses = [float(row["loss/total"]) for row in csv.DictReader(table.open()) if row["loss/total"]]
    assert losses == [json.loads(line)["loss"] for line in log] and len(losses) == 6


def test_nothing_to_do_starts_nothing(giftune, settings, tmp_path):
    command = ["tune", *settings, "edit.prompts=[a panda]", "run_name=x"]
    assert giftune(*command)[0] == 0
    before = sorted(tmp_path.rglob("*"))
    assert giftune(*command, "logger=csv")[0] == 0
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_wandb_two_cells_in_one_process(giftune, settings, tmp_path, jane):
    extra = ["logger=wandb", "sweep_name=seeds", "seed=1,2", "loss.temporal.weight=0.5"]
    status, _, said = giftune("tune", "-m", *settings, *PROMPTS, *extra)
    assert status == 0 and said == ""
    cells = [path.parent for path in sorted((tmp_path / "runs" / "seeds").glob("*/cell.json"))]
    assert len(cells) == 2
    ids = set()
    for seed, folder in enumerate(cells, start=1):
        (file,) = folder.glob("wandb/offline-run-*/run-*.wandb")
        lines = records(file)
        (run,) = of_type(lines, "run")
        assert (run["run_group"], run["display_name"]) == ("seeds", f"seed={seed}")
        assert set(run["tags"]) >= {"giftune", "local"}
        ids.add(run["run_id"])
        (ended,) = of_type(lines, "exit")
        assert ended.get("exit_code", 0) == 0 and lines[-1]["type"] == "exit"
        config = {key: value for part in of_type(lines, "config") for key, value in part["update"].items()}
        assert config["seed"] == seed and config["loss"]["temporal"]["weight"] == 0.5
        assert config["data"]["path"] == "noise.gif" and config["backbone"]["source"] == "checkpoint"
        history = [part["item"] for part in of_type(lines, "history")]
        log = [json.loads(line) for line in (folder / "train.jsonl").read_text().splitlines()]
        tuning = [item for item in history if "loss/total" in item]
        assert [item["loss/total"] for item in tuning] == pytest.approx([line["loss"] for line in log])
        assert [item["trainer/global_step"] for item in tuning] == list(range(6))
        assert all(item.keys() >= SCALARS for item in tuning)
        scores = expected_scores(folder)
        (scored,) = [item for item in history if "score_mean/flicker" in item]
        assert {name: scored[name] for name in scores} == pytest.approx(scores)
        check_videos(folder, file.parent / "files", history)
        assert not list(folder.glob("wandb/*/logs"))
    assert len(ids) == 2
    check_comparison(tmp_path / "runs" / "seeds", cells)
    check_privacy(tmp_path, jane)


def check_videos(folder, files, history):
    videos = {
        key.removesuffix(".videos"): (video["path"], video["caption"])
        for item in history
        for key, value in item.items()
        if key.endswith(".videos")
        for video in value
    }
    assert {key.split("/")[0] for key in videos} == {"preview", "source", "edit"}
    assert videos["source"][1] == "a cat runs"
    assert (files / videos["source"][0]).read_bytes() == (folder / "source.gif").read_bytes()
    for line in (json.loads(text) for text in (folder / "records.jsonl").read_text().splitlines()):
        path, caption = videos[line["file"].removesuffix(".gif").replace("edits/", "edit/")]
        assert caption == line["prompt"]
        assert len(read_gif(files / path)) == 5


def check_comparison(sweep, cells):
    (file,) = sweep.glob("wandb/offline-run-*/run-*.wandb")
    lines = records(file)
    (run,) = of_type(lines, "run")
    assert (run["run_group"], run["job_type"]) == ("seeds", "comparison")
    assert lines[-1]["type"] == "exit"
    (path,) = file.parent.rglob("*.table.json")
    table = json.loads(path.read_text())
    assert table["columns"] == ["cell", "state", "seed", "flicker", "loop_seam"]
    for row, folder in zip(table["data"], cells, strict=True):
        values = [value for name, value in expected_scores(folder).items() if "/flicker/" in name]
        assert row[:3] == [f"seed={row[2]}", "done", row[2]]
        assert row[3] == pytest.approx(sum(values) / len(values))


def check_privacy(folder, home):
    told = [path for path in folder.rglob("wandb/**/*") if path.is_file()]
    assert len(told) > 10
    secrets = [str(folder), str(home), home.name, "do-not-tell-4711", "variable-of-jane-4711"]
    for path in told:
        content = path.read_bytes()
        for secret in secrets:
            assert secret.encode() not in content, f"{path} tells {secret}"
        if path.suffix == ".wandb":  # short names may be in any binary file by chance
            printed = json.dumps(records(path))
            for name in (socket.gethostname(), pwd.getpwuid(os.getuid()).pw_name, sys.executable):
                assert f'"{name}"' not in printed, f"{path} tells {name}"


@pytest.mark.slow
def test_wandb_goes_on_after_a_failure(giftune, settings, tmp_path, jane):
    run, command = tmp_path / "runs" / "x", ["tune", *settings, "run_name=x", "logger=wandb"]
    assert giftune(*command, "edit.prompts=[a panda]", "metric.flicker._target_=giftune.no.such")[0] != 0
    assert giftune(*command, "edit.prompts=[a panda]")[0] == 0
    first, second = (records(file) for file in sorted(run.glob("wandb/offline-run-*/run-*.wandb")))
    assert of_type(first, "exit")[0]["exit_code"] == 1 and not of_type(second, "exit")[0].get("exit_code")
    assert of_type(first, "run")[0]["run_id"] == of_type(second, "run")[0]["run_id"]
    assert of_type(first, "run")[0]["display_name"] == "x" and "run_group" not in of_type(first, "run")[0]


def test_wandb_disabled_leaves_nothing(giftune, settings, tmp_path, jane):
    extra = ["logger=wandb", "logger.wandb.mode=disabled", "edit.prompts=[a panda]", "run_name=x"]
    assert giftune("tune", *settings, *extra)[0] == 0
    assert not [path for path in tmp_path.rglob("*.wandb")]


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        ("sometimes", "logger.wandb.mode is 'sometimes', it must be one of offline, online, disabled."),
        ("online", "nobody is logged in: run `wandb login`, set WANDB_API_KEY, or leave it offline."),
    ],
)
def test_wandb_refuses_at_once(giftune, settings, tmp_path, jane, mode, sentence):
    extra = ["logger=wandb", f"logger.wandb.mode={mode}", "edit.prompts=[a panda]"]
    status, _, said = giftune("tune", *settings, *extra)
    assert status == 2 and sentence in said and said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


def test_wandb_out_of_reach_is_one_sentence(giftune, settings, jane, monkeypatch):
    def out_of_reach(**_):
        raise wandb.errors.CommError("no such host\nConsider something else")

    monkeypatch.setenv("WANDB_API_KEY", "0123456789" * 4)
    monkeypatch.setattr(wandb, "init", out_of_reach)
    extra = ["logger=wandb", "logger.wandb.mode=online", "edit.prompts=[a panda]"]
    status, _, said = giftune("tune", *settings, *extra)
    assert status == 2 and "W&B failed: no such host; offline needs no network" in said
    assert said.count("\n") == 1
