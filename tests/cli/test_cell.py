import json
import multiprocessing
import re

import pytest

from giftune.cli.cell import Cell, CellFolder, Outcome

CELL = Cell({"ablation": "no_inversion", "optimizer.lr": "1e-3", "seed": "1"})


def test_names_say_what_was_chosen_and_differ_when_it_does():
    assert CELL.name == "ablation=no_inversion,optimizer.lr=1e-3,seed=1"
    assert re.fullmatch(r"ablation-no-inversion-optimizer-lr-1e-3-seed-1-[0-9a-f]{8}", CELL.folder)
    others = [
        {"a": "x y"},
        {"a": "x-y"},
        {"a": "x/../y"},
        {"a": "[x,y]"},
        {"a": "x" * 300 + "1"},
        {"a": "x" * 300},
    ]
    folders = {Cell(choices).folder for choices in others}
    assert len(folders) == len(others)
    assert all(re.fullmatch(r"[a-z0-9-]{1,100}", folder) for folder in folders)


def test_a_cell_is_missing_then_failed_then_done(tmp_path):
    folder = CellFolder(tmp_path / "sweep", CELL)
    assert folder.outcome() == Outcome() and folder.outcome().state == "missing"
    folder.begin()
    described = json.loads((folder.path / "cell.json").read_text())
    assert described == {"sweep": "sweep", "name": CELL.name, "choices": dict(CELL.choices)}
    assert folder.outcome().state == "missing"
    folder.fail("no clip")
    assert folder.outcome() == Outcome(reason="no clip") and folder.outcome().state == "failed"
    folder.begin()
    assert not (folder.path / "failure.json").exists()
    folder.finish(61.5)
    assert folder.outcome() == Outcome(seconds=61.5) and folder.outcome().state == "done"


@pytest.mark.parametrize("half", ["", "{", "[1]"])
def test_a_file_that_was_cut_off_means_missing(tmp_path, half):
    folder = CellFolder(tmp_path, CELL)
    folder.begin()
    (folder.path / "cell.json").write_text(half)
    assert folder.outcome().state == "missing"


def _hold(path, connection):
    with CellFolder(path, CELL).locked():
        connection.send("held")
        connection.recv()


def test_two_processes_never_work_on_one_cell_and_a_killed_one_does_not_block(tmp_path):
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_hold, args=(tmp_path, theirs))
    process.start()
    assert ours.recv() == "held"
    from filelock import FileLock, Timeout

    lock = FileLock(tmp_path / ".locks" / CELL.folder)
    with pytest.raises(Timeout):
        lock.acquire(timeout=0)
    process.kill()
    process.join()
    with CellFolder(tmp_path, CELL).locked():
        pass
