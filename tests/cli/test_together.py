"""One job in two processes on the CPU, from the command line."""

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

THREE = "edit.prompts=[a panda, the beach, a fox]"


def files(run):
    """Names of all that a run leaves behind, but for the inside of caches."""
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())


def index(run):
    return json.loads((run / "edits" / "index.json").read_text())


@pytest.mark.slow
def test_the_same_run_folder_as_one_process(giftune, settings, tmp_path):
    alone, both = tmp_path / "alone" / "x", tmp_path / "both" / "x"
    for run, extra in ((alone, []), (both, ["trainer=ddp_cpu"])):
        given = [
            *settings,
            THREE,
            "run_name=x",
            f"paths.runs={run.parent}",
            "trainer.preview_every=3",
            *extra,
        ]
        status, out, said = giftune("tune", *given)
        assert status == 0 and said == ""
        assert "tuned for 6 steps" in out and "drew 3 edits" in out and out.count("contact_sheet.png") == 1
    assert files(both) == files(alone)
    assert [entry["prompt"] for entry in index(both)] == ["a panda", "the beach", "a fox"]
    settings_of = [{**entry, "seconds": 0} for entry in index(both)]
    assert settings_of == [{**entry, "seconds": 0} for entry in index(alone)]
    records = [json.loads(line) for line in (both / "records.jsonl").read_text().splitlines()]
    assert [record["prompt"] for record in records] == ["a panda", "the beach", "a fox"]
    assert len((both / "train.jsonl").read_text().splitlines()) == 6
    assert OmegaConf.load(both / "config.yaml").trainer.processes == 2
    one, two = (load_file(run / "weights.safetensors") for run in (alone, both))
    assert one.keys() == two.keys() and all(tensor.isfinite().all() for tensor in two.values())
    assert not all(torch.equal(one[name], two[name]) for name in one)

    drawn = {path: path.stat().st_mtime_ns for path in (both / "edits").glob("*.gif")}
    more = [*settings, "edit.prompts=[a panda, a pig, a cow]", "run_name=x", f"paths.runs={both.parent}"]
    status, out, said = giftune("tune", *more, "trainer=ddp_cpu")
    assert (status, said) == (0, "") and "drew 2 edits" in out and "tuned for" not in out
    assert {path: path.stat().st_mtime_ns for path in drawn} == drawn
    assert [entry["prompt"] for entry in index(both)][-2:] == ["a pig", "a cow"] and len(index(both)) == 5


@pytest.mark.slow
def test_torchrun_may_start_the_processes(settings, tmp_path):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    given = [*settings, "edit.prompts=[a panda]", "run_name=x", "trainer=ddp_cpu"]
    ended = subprocess.run(
        [*command, "-m", "giftune.cli.main", "tune", *given], cwd=tmp_path, capture_output=True, text=True
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("tuned for 6 steps") == 1 and len(index(tmp_path / "runs" / "x")) == 1


@pytest.mark.slow
def test_mistakes_are_one_sentence(giftune, settings, tmp_path):
    for extra, sentence in (
        (["edit.quality=fine"], "edit.quality is 'fine'"),
        (["trainer.processes=0"], "trainer.processes is 0"),
        (["trainer=ddp", "trainer.processes=null"], "but there is none; try trainer=ddp_cpu."),
    ):
        status, _, said = giftune("tune", *settings, "edit.prompts=[a panda]", "trainer=ddp_cpu", *extra)
        assert status == 2 and sentence in said and said.count("\n") == 1
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def endless(settings, tmp_path):
    """A job of two processes in the middle of tuning."""
    given = [*settings, "edit.prompts=[a panda]", "run_name=x", "trainer=ddp_cpu", "trainer.max_steps=100000"]
    job = subprocess.Popen(
        [sys.executable, "-m", "giftune.cli.main", "tune", *given],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    log = tmp_path / "runs" / "x" / "train.jsonl"
    deadline = time.monotonic() + 120
    while not (log.exists() and log.read_text().count("\n") > 3):
        assert job.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    workers = psutil.Process(job.pid).children()
    yield job, workers
    for process in (*workers, job):
        if process.is_running() if isinstance(process, psutil.Process) else process.poll() is None:
            process.kill()
    job.wait()


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_job(endless, rank):
    job, workers = endless
    (victim,) = [worker for worker in workers if worker.environ()["RANK"] == str(rank)]
    victim.send_signal(signal.SIGKILL)
    _, said = job.communicate(timeout=60)
    assert job.returncode == 1
    assert f"process {rank + 1} of 2 was killed (signal 9); the same command resumes." in said
    assert not any(worker.is_running() for worker in workers)


@pytest.mark.slow
def test_nobody_is_left_behind(endless):
    job, workers = endless
    job.send_signal(signal.SIGKILL)
    _, alive = psutil.wait_procs(workers, timeout=30)
    assert not alive
