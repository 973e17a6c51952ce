"""`giftune report` from end to end."""

import csv
import json
import subprocess
import sys

import pytest

from giftune.cli import report
from tests.result_folders import CLIPS, Sweep, write_run, write_sweep


@pytest.fixture
def sweep(tmp_path):
    return write_sweep(tmp_path / "runs" / "ablation", Sweep(("full", "no_tuning"), CLIPS[:1], (1, 2)))


def test_a_sweep_becomes_a_page_and_tables(giftune, sweep):
    status, out, err = giftune("report", sweep)
    assert (status, err) == (0, "")
    assert out.splitlines()[0] == "8 edits, 2 arms, 6 metrics"
    for name in ("index.html", "table.csv", "table.md", "table.tex"):
        assert (sweep / "report" / name).is_file() and f"  {name}  " in out
    assert "<title>ablation" in (sweep / "report" / "index.html").read_text()
    # again, with the report there
    assert giftune("report", f"dir={sweep}")[1].splitlines()[0] == out.splitlines()[0]


def test_several_folders_and_settings(giftune, sweep, tmp_path):
    other = write_run(tmp_path / "elsewhere=1")  # a folder, not a setting
    given = ["reference=no_tuning", "metrics=[flicker]", "output=here", "title=Mine", "embed=false"]
    status, out, _ = giftune("report", sweep, other, *given)
    assert status == 0 and "10 edits, 3 arms, 1 metric" in out
    with (tmp_path / "here" / "table.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arm"] for row in rows] == ["no_tuning", "full", "giftune"]
    assert {row["metric"] for row in rows} == {"flicker"}
    assert "<h1>Mine</h1>" in (tmp_path / "here" / "index.html").read_text()
    # a source and eight edits; the run elsewhere drew the same as one of the cells
    assert len(list((tmp_path / "here" / "media").iterdir())) == 9


def test_missing_cells_and_damage_are_said(giftune, tmp_path):
    folder = write_sweep(tmp_path / "s", Sweep(("full",), CLIPS[:1], (1, 2), failed=("seed=2",)))
    cell = next(folder.glob("*seed=1"))
    with (cell / "records.jsonl").open("a") as file:
        file.write('{"half')
    status, out, err = giftune("report", folder)
    assert (status, err) == (0, "")
    assert "note: 1 missing cell, ablation=full,data=emojiworld_rabbit,seed=2 first: tuning diverged." in out
    assert f"note: 1 damaged entry was left out: {cell.name}/records.jsonl (1)." in out


def test_results_from_elsewhere(giftune, tmp_path):
    run = write_run(tmp_path / "run")
    (run / "records.jsonl").unlink()
    entry = {"file": "edits/0.gif", "source": "source", "prompt": "a panda", "method": "Theirs"}
    sources = [{"file": "source.gif", "caption": "a rabbit"}]
    (run / "manifest.json").write_text(json.dumps({"sources": sources, "results": [entry]}))
    status, out, _ = giftune("report", run)
    assert status == 0 and "1 edit, 1 arm, 0 metrics" in out
    assert "Theirs" in (run / "report" / "index.html").read_text()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "dir is missing"),
        (["nowhere"], "nowhere is not a folder"),
        (["."], "nothing to report in ."),
        (["ablation", "reference=none"], "reference 'none' is not an arm; arms are: full, no_tuning"),
        (["ablation", "metrics=[fid]"], "metric fid was not measured"),
        (["ablation", "tile=2"], "tile is 2"),
        (["ablation", "colour=red"], "colour is not known"),
        (["ablation", "--open"], "--open is not an option"),
    ],
)
def test_bad_input_is_one_sentence(giftune, sweep, tmp_path, given, sentence):
    place = [str(sweep) if word == "ablation" else word for word in given]
    if given == ["."]:
        (tmp_path / "empty").mkdir()
        place = ["empty"]
        sentence = "nothing to report in empty"
    status, _, err = giftune("report", *place)
    assert status == 2 and sentence in err and err.count("\n") == 1
    assert not (sweep / "report").exists() or "tile" in sentence


def test_help_imports_nothing_heavy():
    code = (
        "import sys, giftune.cli.report as command\ncommand.main(['--help'])\n"
        "assert not {'torch', 'hydra', 'matplotlib', 'jinja2'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == report.HELP + "\n"
