"""The same two cells by every engine that runs here: whole run folders, and the very same weights."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import miniature

pytestmark = pytest.mark.slow


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """One thread everywhere: sums of several threads are not the same to the last digit."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-m", "giftune.cli.main", "tune", "-m", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=900)


def weights(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.rglob("weights.safetensors")}


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("launchers")
    miniature.write_clip(folder / "noise.gif")
    given = miniature.settings(miniature.build(folder), Path("runs"), Path("noise.gif"))
    few = ["seed=1,2", "trainer.max_steps=1", "edit.num_steps=2", "metric=[]", "edit.prompts=[a panda]"]
    return folder, [*(s for s in given if not s.startswith(("trainer.", "edit.num", "paths."))), *few]


@pytest.fixture(scope="module")
def expected(settings):
    folder, given = settings
    result = run(folder, *given, "paths.runs=basic")
    assert result.returncode == 0, result.stdout + result.stderr
    return weights(folder / "basic")


@pytest.mark.parametrize("launcher", ["joblib", "local", "ray_local"])
def test_the_same_by_every_engine(launcher, settings, expected):
    folder, given = settings
    result = run(folder, *given, f"paths.runs={launcher}", f"hydra/launcher={launcher}")
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(expected) == 2 and weights(folder / launcher) == expected
    (sweep,) = (folder / launcher).iterdir()
    cells = json.loads((sweep / "sweep.json").read_text())["cells"]
    assert [(cell["choices"], cell["state"]) for cell in cells] == [({"seed": s}, "done") for s in "12"]
    for cell in cells:
        kept = {path.name for path in (sweep / cell["folder"]).iterdir()}
        assert {"config.yaml", "provenance.json", "edits", "contact_sheet.png", "cell.json"} <= kept
        facts = json.loads((sweep / cell["folder"] / "provenance.json").read_text())
        assert facts["hardware"]["threads"] == 1


@pytest.mark.parametrize("launcher", ["joblib", "local"])
def test_a_failing_cell_by_every_engine(launcher, settings):
    folder, given = settings
    given = [setting for setting in given if not setting.startswith("trainer.max_steps")]
    several = f"paths.runs=failing_{launcher}", f"hydra/launcher={launcher}", "trainer.max_steps=-1,1"
    result = run(folder, *given, *several)
    assert result.returncode == 1 and "2 of 4 cells are finished" in result.stdout, (
        result.stdout + result.stderr
    )
    reason = "trainer.max_steps is -1, it must be at least 0."
    lines = [line for line in result.stderr.splitlines() if line.startswith("failed ")]
    assert lines == [f"failed seed={seed},trainer.max_steps=-1: {reason}" for seed in "12"]


def test_a_search_sees_the_objective_and_repeats_nothing(settings):
    folder, given = settings
    given = [setting for setting in given if setting not in ("metric=[]", "seed=1,2")]
    search = [
        "paths.runs=search",
        "metric=[flicker]",
        "hydra/sweeper=optuna",
        "hydra.sweeper.n_trials=2",
        "hydra.sweeper.n_jobs=1",
        "hydra.sweeper.sampler.seed=1",
        "hydra.sweeper.direction=minimize",
        "objective={flicker:2}",
        "loss.temporal.weight=interval(0.1,1)",
        "sweep_name=s",
    ]
    result = run(folder, *given, *search)
    assert result.returncode == 0, result.stdout + result.stderr
    found = (folder / "search" / "s" / "optimization_results.yaml").read_text()
    scores = [json.loads(path.read_text())["scores"]["flicker"]["value"] for path in records(folder)]
    assert len(scores) == 2 and any(f"best_value: {2 * score}" in found for score in scores)
    before = {path: path.stat().st_mtime_ns for path in (folder / "search").rglob("weights.safetensors")}
    assert run(folder, *given, *search).returncode == 0
    assert {
        path: path.stat().st_mtime_ns for path in (folder / "search").rglob("weights.safetensors")
    } == before


def records(folder: Path) -> list[Path]:
    return sorted((folder / "search").rglob("records.jsonl"))
