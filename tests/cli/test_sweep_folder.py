import json
import os

import pytest

from giftune.cli.cell import Cell, CellFolder
from giftune.cli.sweep_folder import SweepFolder
from giftune.errors import InputError

CONFIG = {"seed": 1, "loss.temporal.weight": 0.1, "optimizer.betas": [0.9, 0.999]}
ONE, TWO, THREE = (Cell({"seed": value}) for value in "123")


@pytest.fixture
def sweep(tmp_path):
    return SweepFolder(tmp_path / "runs" / "s", CONFIG)


def cells(sweep):
    record = json.loads((sweep.path / "sweep.json").read_text())
    return [(cell["choices"]["seed"], cell["state"], cell["reason"]) for cell in record["cells"]]


def test_a_new_folder_is_made_by_its_lock_only(sweep, tmp_path):
    sweep.require()
    assert list(tmp_path.iterdir()) == []
    with sweep.locked():
        sweep.record([ONE])
    sweep.require()
    record = json.loads((sweep.path / "sweep.json").read_text())
    assert record["sweep"] == "s" and record["config"] == CONFIG
    assert record["cells"][0]["name"] == "seed=1" and record["cells"][0]["folder"] == ONE.folder


def test_the_record_keeps_the_cells_of_earlier_commands(sweep):
    with sweep.locked():
        sweep.record([ONE, TWO])
        for cell in (ONE, TWO):
            CellFolder(sweep.path, cell).begin()
        CellFolder(sweep.path, ONE).finish(1.0)
        CellFolder(sweep.path, TWO).fail("no clip")
        sweep.record([THREE, TWO])
    assert cells(sweep) == [("3", "missing", None), ("2", "failed", "no clip"), ("1", "done", None)]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"seed": 2}, "its seed is 1, here 2; choose another sweep_name=."),
        ({"loss.temporal.weight": 0.2}, "its loss.temporal.weight is 0.1, here 0.2"),
        ({"optimizer.betas": [0.9, 0.99]}, "its optimizer.betas is"),
        ({"new": "x"}, "its new is not set, here 'x'"),
    ],
)
def test_another_configuration_is_refused_by_name(sweep, changes, sentence):
    with sweep.locked():
        sweep.record([])
    with pytest.raises(InputError, match="belongs to another configuration") as refused:
        SweepFolder(sweep.path, CONFIG | changes).require()
    assert sentence in str(refused.value)
    SweepFolder(sweep.path, {**CONFIG, "optimizer.betas": (0.9, 0.999)}).require()  # as JSON says it


def test_other_files_are_not_mixed_with_a_sweep(sweep):
    sweep.path.mkdir(parents=True)
    (sweep.path / "notes.txt").touch()
    with pytest.raises(InputError, match="holds other files"):
        sweep.require()
    (sweep.path.parent / "file").touch()
    with pytest.raises(InputError, match="is a file"):
        SweepFolder(sweep.path.parent / "file", CONFIG).require()


def test_a_second_sweep_is_refused_while_the_first_runs(sweep):
    with sweep.locked():
        with pytest.raises(InputError, match="another sweep is running there"), sweep.locked():
            pass
        with pytest.raises(InputError, match="another sweep is running there"), sweep.locked():
            pass
    with sweep.locked():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_made(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="cannot be written"), SweepFolder(tmp_path / "s", CONFIG).locked():
        pass


def test_a_folder_under_a_file(tmp_path):
    (tmp_path / "runs").touch()
    with (
        pytest.raises(InputError, match="cannot be written"),
        SweepFolder(tmp_path / "runs" / "s", CONFIG).locked(),
    ):
        pass
