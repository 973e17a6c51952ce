"""kill -9 in the middle of a benchmark, and two workers on one record file: nothing lost, nothing twice."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import miniature

pytestmark = pytest.mark.slow
SHEET = """
clips:
  one: {caption: a cat runs, edits: [{type: object, prompt: a dog runs}, {type: style, prompt: sketch}]}
  two: {caption: a fox runs, edits: [{type: background, prompt: a fox runs on the beach}]}
"""
EDITS = 6  # by two methods, of two clips that have three edits


@pytest.fixture
def start(tmp_path):
    clips = tmp_path / "clips"
    clips.mkdir()
    for seed, name in enumerate(("one", "two")):
        miniature.write_clip(clips / f"{name}.gif", seed=seed)
    (clips / "prompts.yaml").write_text(SHEET)
    checkpoint = miniature.build(tmp_path)

    def call(runs: str, *more: str) -> subprocess.Popen:
        given = miniature.settings(checkpoint, Path(runs), clips)
        given = [s for s in given if not s.startswith(("trainer.", "data.prompt="))]
        given += ["data=folder", "methods=[giftune,sdedit]", "metric=[flicker]", "estimate=false"]
        given += ["sweep_name=b", "trainer.max_steps=16", "trainer.checkpoint_every=4", *more]
        command = [sys.executable, "-m", "giftune.cli.main", "benchmark", *given]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return call


def results(folder: Path) -> list[dict]:
    """What does not depend on clocks and machines, every line having to be whole."""
    lines = [json.loads(text) for text in (folder / "b" / "results.jsonl").read_text().splitlines()]
    kept = ("method", "clip", "seed", "prompt", "type", "file", "scores")
    found = [{name: line[name] for name in kept} for line in lines if line["kind"] == "result"]
    return sorted(found, key=lambda line: (line["method"], line["clip"], line["prompt"]))


def test_killed_resumed_and_by_two_workers_it_ends_the_same(start, tmp_path):
    folder = tmp_path / "killed" / "b"
    process = start("killed")
    while not list(folder.glob("*two*giftune*/checkpoints/last.ckpt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    before = (folder / "results.jsonl").read_bytes()
    finished = {path: path.stat().st_mtime_ns for path in folder.glob("*one*/edits/*.gif")}
    assert len(finished) == 4  # both methods on the first clip
    (folder / "results.jsonl").write_bytes(before[:-20])  # as if it had been killed while writing

    out, said = start("killed").communicate()
    assert (folder / "results.jsonl").read_bytes().startswith(before[:-20])
    assert {path: path.stat().st_mtime_ns for path in finished} == finished, said
    lines = (folder / "results.jsonl").read_text().splitlines()
    torn = [text for text in lines if not text.endswith("}")]
    assert len(torn) == 1
    (folder / "results.jsonl").write_text("".join(f"{text}\n" for text in lines if text not in torn))
    resumed = results(tmp_path / "killed")
    assert len(resumed) == EDITS

    out, said = start("whole", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2").communicate()
    assert results(tmp_path / "whole") == resumed, out + said
