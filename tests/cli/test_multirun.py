"""Sweeps with a job of a line in the place of tuning: which cells run, and what is said about them."""

import json
import re
import sys

import pytest

from giftune.cli._cell_job import CellJob
from giftune.cli._launching import Cells, at_once
from giftune.cli._multirun import is_sweep, run_sweep
from giftune.cli._overview import Progress
from giftune.cli.cell import Cell, CellFolder
from giftune.cli.sweep_folder import SweepFolder
from giftune.errors import InputError

TWO = ["-m", "seed=1,2", "sweep_name=s"]


@pytest.fixture
def sweep(tmp_path, monkeypatch, capfd):
    """Runs a sweep; returns the seeds of the cells that ran, the exit status, and what was printed."""
    monkeypatch.chdir(tmp_path)

    def call(*settings, fail=lambda config: None):
        ran = []

        def job(config):
            ran.append(config.seed)
            fail(config)
            assert (config.paths.runs, config.run_name.rpartition("-")[0]) == (
                "runs/s",
                f"seed-{config.seed}",
            )

        assert is_sweep("tune", settings)
        status = run_sweep("tune", settings, job)
        return ran, status, *capfd.readouterr()

    return call


def on_seed(number, error):
    def fail(config):
        if config.seed == number:
            raise error

    return fail


def record(folder):
    return json.loads((folder / "runs" / "s" / "sweep.json").read_text())


def test_each_cell_has_its_folder_and_runs_once(sweep, tmp_path):
    ran, status, out, said = sweep(*TWO)
    assert (ran, status, said) == ([1, 2], 0, "")
    assert "2 of 2 cells are finished, in runs/s" in out and len(re.findall(r"[12] +done +0\.0", out)) == 2
    folders = [tmp_path / "runs" / "s" / cell["folder"] for cell in record(tmp_path)["cells"]]
    described = [json.loads((folder / "cell.json").read_text()) for folder in folders]
    assert [cell["choices"] for cell in described] == [{"seed": "1"}, {"seed": "2"}]
    assert {cell["sweep"] for cell in described} == {"s"}
    assert sweep(*TWO)[:2] == ([], 0)
    assert sweep("-m", "seed=2,3,1", "sweep_name=s")[:2] == ([3], 0)
    assert [cell["choices"]["seed"] for cell in record(tmp_path)["cells"]] == ["2", "3", "1"]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InputError("path cat.gif does not exist"), "path cat.gif does not exist"),
        (RuntimeError("a bug\nin two lines"), "RuntimeError: a bug"),
        (SystemExit(3), "SystemExit: 3"),
    ],
)
def test_a_failing_cell_stops_nothing_and_is_tried_again(sweep, tmp_path, error, reason):
    ran, status, out, said = sweep(*TWO, fail=on_seed(1, error))
    assert (ran, status) == ([1, 2], 1) and "1 of 2 cells are finished" in out
    assert said == f"failed seed=1: {reason}\n"
    first, second = record(tmp_path)["cells"]
    assert (first["state"], first["reason"], second["state"]) == ("failed", reason, "done")
    failure = json.loads((tmp_path / "runs" / "s" / first["folder"] / "failure.json").read_text())
    assert failure["reason"] == reason and ("traceback" in failure) == (not isinstance(error, InputError))
    assert sweep(*TWO)[:2] == ([1], 0)
    assert record(tmp_path)["cells"][0]["state"] == "done"
    assert not (tmp_path / "runs" / "s" / first["folder"] / "failure.json").exists()


def test_an_interrupt_ends_the_sweep_and_the_same_command_goes_on(sweep, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        sweep(*TWO, fail=on_seed(2, KeyboardInterrupt()))
    assert sweep(*TWO)[:2] == ([2], 0)


def test_another_configuration_is_refused_before_anything_is_written(sweep, tmp_path):
    sweep(*TWO)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    with pytest.raises(
        InputError, match=r"its optimizer\.lr is 0\.003, here 0\.01; choose another sweep_name="
    ):
        sweep(*TWO, "optimizer.lr=0.01")
    with pytest.raises(
        InputError, match=r"belongs to another configuration: its .*backbone\.source is 'emojiworld'"
    ):
        sweep(*TWO, "backbone=sd15")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert sweep(*TWO, "backbone.device=cpu", "logger=csv", "trainer.checkpoint_every=7")[:2] == ([], 0)


def test_what_is_said_inside_of_a_group_that_varies_counts_too(sweep):
    clips = ["-m", "data=gif", "seed=1,2", "data.prompt=a cat", "sweep_name=s"]
    sweep(*clips, "data.path=a.gif")
    with pytest.raises(InputError, match=r"its data\.path is 'a\.gif', here 'b\.gif'"):
        sweep(*clips, "data.path=b.gif")


def test_mistakes_are_found_before_anything_is_written(sweep, tmp_path):
    with pytest.raises(Exception, match="Could not find 'ablation/nothing'"):
        sweep("-m", "ablation=full,nothing", "sweep_name=s")
    for name in ("../up", "a b", ""):
        if name:
            with pytest.raises(InputError, match="sweep_name is"):
                sweep("-m", "seed=1,2", f"sweep_name='{name}'")
    with pytest.raises(InputError, match="sweeps takes one name"):
        sweep("-m", "sweeps=steps,seeds")
    assert not list(tmp_path.rglob("cell.json"))


def test_a_running_sweep_refuses_a_second_one(sweep, tmp_path):
    with SweepFolder(tmp_path / "runs" / "s", {}).locked():
        with pytest.raises(InputError, match="another sweep is running there"):
            sweep(*TWO)
        assert [path.name for path in (tmp_path / "runs" / "s").iterdir()] == [".locks"]
    assert sweep(*TWO)[:2] == ([1, 2], 0)


def test_names_without_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for settings in (
        ["optimizer.lr=1,2", "seed=1"],
        ["optimizer.lr=2,3", "seed=1"],
        ["optimizer.lr=1,2", "seed=2"],
    ):
        run_sweep("tune", ["-m", *settings], lambda config: None)
    first, second = sorted(path.name for path in (tmp_path / "runs").iterdir())
    assert re.fullmatch("lr-[0-9a-f]{8}", first) and re.fullmatch("lr-[0-9a-f]{8}", second)
    counts = [len(json.loads(path.read_text())["cells"]) for path in tmp_path.rglob("sweep.json")]
    assert sorted(counts) == [2, 3]  # the same settings share a folder, whichever values are compared


def test_a_sweep_from_a_file_can_be_done_in_parts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []
    part = ["sweeps=attention", "pattern=per_frame"]
    assert run_sweep("tune", part, lambda config: seen.append(config.temporal)) == 0
    assert seen == [True, False]
    assert run_sweep("tune", ["sweeps=attention"], lambda config: seen.append(config.temporal)) == 0
    assert len(seen) == 6 and len(list((tmp_path / "runs" / "attention").glob("*/cell.json"))) == 6


def test_what_is_one_run_and_what_is_several():
    assert is_sweep("tune", ["sweeps=attention"]) and is_sweep("tune", ["--multirun", "seed=1"])
    for settings in (
        [],
        ["seed=1"],
        ["sweeps=attention", "--cfg", "job"],
        ["data=nothing"],
        ["-m", "--cfg", "job"],
    ):
        assert not is_sweep("tune", settings)


class Dying:
    """A launcher whose process dies in the middle of its second cell, as when memory runs out."""

    def __init__(self, job, folder, die=True):
        self.job, self.folder, self.die, self.launched = job, folder, die, []

    def launch(self, job_overrides, initial_job_idx):
        self.launched.append([overrides[0] for overrides in job_overrides])
        returned = []
        for number, overrides in enumerate(job_overrides, start=initial_job_idx):
            cell = CellFolder(self.folder, self.job.cells[number])
            cell.begin()
            if overrides == ["seed=2"]:
                raise MemoryError("worker was killed")
            cell.finish(1.0)
            returned.append(type("Returned", (), {"return_value": cell.outcome()}))
        return returned


def cells_of(tmp_path, make):
    sweep = SweepFolder(tmp_path / "s", {})
    job = CellJob(lambda config: None, sweep.path, tmp_path, None)
    sweep.path.mkdir()
    return Cells(make(job), job, sweep, ["seed"], None, Progress(0), None)


def test_a_dead_worker_costs_its_own_cell_only(tmp_path):
    cells = cells_of(tmp_path, lambda job: Dying(job, tmp_path / "s"))
    cells.launch([["seed=1"], ["seed=2"], ["seed=3"]], 0)
    assert cells.launcher.launched == [["seed=1", "seed=2", "seed=3"], ["seed=3"]]
    states = [cells.outcome(cell).state for cell in cells.planned]
    assert states == ["done", "failed", "done"]
    assert "MemoryError: worker was killed" in cells.outcome(cells.planned[1]).reason


def test_a_launcher_that_does_not_work_is_not_asked_again(tmp_path):
    class Broken:
        def launch(self, job_overrides, initial_job_idx):
            raise OSError("no sbatch here")

    cells = cells_of(tmp_path, lambda job: Broken())
    cells.launch([["seed=1"], ["seed=2"]], 0)
    assert {cells.outcome(cell).reason for cell in cells.planned} == {
        "its process ended: OSError: no sbatch here"
    }


def test_how_the_cores_are_shared(monkeypatch):
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: set(range(8)), raising=False)

    def share(name, **settings):
        return at_once({"_target_": f"x.{name}", **settings})

    assert share("BasicLauncher") == (1, None)
    assert [share("JoblibLauncher", n_jobs=n) for n in (1, 3, -1, -2)] == [
        (None, 8),
        (None, 2),
        (None, 1),
        (None, 1),
    ]
    assert share("LocalLauncher", cpus_per_task=None) == (8, 1)
    assert share("LocalLauncher", cpus_per_task=3) == (2, 3)
    assert share("SlurmLauncher", cpus_per_task=4) == (None, 4)
    assert share("RayLauncher", ray={"remote": {"num_cpus": 2}}) == (None, 2)


def test_progress_is_for_terminals(monkeypatch, capsys):
    cell = Cell({"seed": "1"})
    for terminal, expected in ((False, ""), (True, "cell 3/4  seed=1, about 10 min left\n")):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        progress = Progress(4, done=2, here=1)
        progress.started -= 300
        with progress.during([cell], lambda: 0):
            assert capsys.readouterr().err == expected
        assert progress.done == 3
