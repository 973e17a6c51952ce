"""kill -9 in the middle of a sweep: the same command finishes it, repeats nothing, and ends the same."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import miniature

pytestmark = pytest.mark.slow


@pytest.fixture
def start(tmp_path):
    clip, checkpoint = miniature.write_clip(tmp_path / "noise.gif"), miniature.build(tmp_path)

    def call(runs: str) -> subprocess.Popen:
        given = [s for s in miniature.settings(checkpoint, Path(runs), clip) if not s.startswith("trainer.")]
        more = ["seed=1,2,3", "sweep_name=s", "metric=[flicker]", "edit.prompts=[a panda]"]
        steps = ["trainer.max_steps=30", "trainer.checkpoint_every=4"]
        command = [sys.executable, "-m", "giftune.cli.main", "tune", "-m", *given, *more, *steps]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    return call


def facts(sweep: Path) -> dict[Path, tuple[int, int]]:
    kinds = (".safetensors", ".gif", ".jsonl")
    files = [path for path in sweep.rglob("*") if path.suffix in kinds]
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


def table(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d+ *$", "", line).rstrip() for line in text.splitlines() if " done " in line]


def test_a_killed_sweep_goes_on(start, tmp_path):
    sweep = tmp_path / "killed" / "s"
    process = start("killed")
    while not list(sweep.glob("seed-2-*/checkpoints/last.ckpt")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    (first,) = sweep.glob("seed-1-*")
    assert "seconds" in json.loads((first / "cell.json").read_text())
    assert len(list(sweep.glob("*/weights.safetensors"))) == 1
    before = {path: fact for path, fact in facts(sweep).items() if first in path.parents}
    assert before

    out, said = start("killed").communicate()
    assert "3 of 3 cells are finished" in out, out + said
    assert {path: facts(sweep)[path] for path in before} == before
    whole, _ = start("whole").communicate()
    assert table(out) == table(whole) and len(table(out)) == 3
    for path in sweep.glob("*/weights.safetensors"):
        other = tmp_path / "whole" / "s" / path.parent.name / path.name
        assert path.read_bytes() == other.read_bytes()
    for path in sweep.glob("*/records.jsonl"):
        other = tmp_path / "whole" / "s" / path.parent.name / path.name
        assert json.loads(path.read_text())["scores"] == json.loads(other.read_text())["scores"]

    kept = facts(sweep)
    out, _ = start("killed").communicate()
    assert "3 of 3 cells are finished" in out and facts(sweep) == kept
