"""`giftune study` from end to end: the page, then the answers."""

import csv
import json
import shutil
import subprocess
import sys

import pytest

from giftune.cli import study
from giftune.cli._studying import count_found
from tests.result_folders import CLIPS, Sweep, write_sweep

TILE = "tile=16"  # quicker


@pytest.fixture(scope="module")
def sweeps(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    write_sweep(place / "ablation", Sweep(("full", "no_tuning"), CLIPS[:1], (1, 2)))
    return place


@pytest.fixture
def sweep(sweeps, tmp_path):
    (tmp_path / "ablation").symlink_to(sweeps / "ablation")
    return "ablation"


def rate(page, path, rater, arm):
    """A file of answers by one who always chooses the same arm."""
    key = json.loads((page / "study.json").read_text())
    given = [
        {"comparison": entry["id"], "question": question, "side": "left" if entry["left"] == arm else "right"}
        for entry in key["comparisons"]
        for question in entry["questions"]
    ]
    content = {"format": "giftune study answers 1", "study": key["study"], "rater": rater, "answers": given}
    path.write_text(json.dumps(content))
    return path


def test_a_page_and_then_its_answers(giftune, sweep, tmp_path):
    status, out, err = giftune("study", sweep, TILE, "output=study", "limit=3")
    assert (status, err) == (0, "")
    assert "full against no_tuning: 3 comparisons" in out and "3 of 4 possible comparisons" in out
    home = tmp_path / "study"
    assert {path.name for path in home.iterdir()} == {"index.html", "study.json", "answers"}
    before = (home / "study.json").read_bytes()
    assert giftune("study", sweep, TILE, "output=study", "limit=3")[0] == 0
    assert (home / "study.json").read_bytes() == before
    files = [rate(home, tmp_path / f"{name}.json", name, arm)
             for name, arm in (("A", "full"), ("B", "full"), ("C", "no_tuning"))]  # fmt: skip
    given = f"results=[{','.join(map(str, files))}]"
    status, out, err = giftune("study", given, "output=study")
    assert (status, err) == (0, "") and "| full | no\\_tuning | frames | 100 %" in out
    with (home / "study.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["won_a"], row["votes_a"], row["votes_b"]) for row in rows] == [("3", "6", "3")] * 2
    assert (home / "study.md").read_text() in out
    # files in answers/ are found by their place alone, and by a report
    for file in files[:2]:
        file.rename(home / "answers" / file.name)
    assert "2 raters" in giftune("study", "results=study/answers")[1]
    (home / "study.md").unlink()
    assert count_found([tmp_path]) == [home / "study.md"] and (home / "study.md").is_file()
    assert count_found([tmp_path / "study", tmp_path]) == [home / "study.md"]
    assert count_found([tmp_path / "ablation"]) == []


@pytest.mark.slow
def test_a_report_counts_the_answers_beside_a_study(giftune, sweeps, tmp_path):
    folder = shutil.copytree(sweeps / "ablation", tmp_path / "mine")
    assert giftune("study", folder, TILE)[0] == 0
    assert "answers" not in giftune("report", folder, "embed=false")[1]
    for rater, arm in (("A", "full"), ("B", "no_tuning")):
        rate(folder / "study", folder / "study" / "answers" / f"{rater}.json", rater, arm)
    status, out, err = giftune("report", folder, "embed=false")
    assert (status, err) == (0, "") and f"are counted in {folder / 'study' / 'study.md'}" in out
    assert "0 : 4 : 0" in (folder / "study" / "study.md").read_text(), "two who disagree tie"


def test_settings_choose_what_is_compared(giftune, sweep, tmp_path):
    given = ["pairs=[[no_tuning,full]]", "title=Mine", "seed=4", "output=mine", "limit=null", TILE]
    status, out, _ = giftune("study", f"dir={sweep}", *given)
    assert status == 0 and "no_tuning against full: 4 comparisons" in out and "possible" not in out
    key = json.loads((tmp_path / "mine" / "study.json").read_text())
    assert (key["pairs"], key["seed"], key["title"]) == ([["no_tuning", "full"]], 4, "Mine")
    assert "<title>Mine</title>" in (tmp_path / "mine" / "index.html").read_text()
    status, _, err = giftune("study", sweep, TILE, "output=mine", "seed=5")
    assert (
        status == 2 and f"output mine holds another study, {key['study']}, whose answers need its key" in err
    )
    assert json.loads((tmp_path / "mine" / "study.json").read_text()) == key


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ([], "dir is missing"),
        (["nowhere"], "nowhere is not a folder"),
        (["ablation", "a=sdedit"], "a has 'sdedit', which is not an arm; arms are: full, no_tuning"),
        (["ablation", "limit=0"], "limit is 0"),
        (["ablation", "limit=few"], "limit is 'few', it must be a whole number"),
        (["ablation", "limt=3"], "limt is not known; did you mean limit?"),
        (["ablation", "tile=2"], "tile is 2"),
        (["results=[a.json]"], "no study.json is in"),
        (["results=[]"], "results is empty"),
        (["ablation", "results=[a.json]"], "no study.json is in ablation or ablation/study: name the folder"),
    ],
)
def test_bad_input_is_one_sentence(giftune, sweep, tmp_path, given, sentence):
    status, out, err = giftune("study", *given)
    assert status == 2 and sentence in err and err.count("\n") == 1 and out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["ablation"]


def test_answers_that_cannot_be_counted(giftune, sweep, tmp_path):
    assert giftune("study", sweep, TILE, "output=study")[0] == 0
    home = tmp_path / "study"
    assert "results has no files of answers: study/answers" in giftune("study", "results=study/answers")[2]
    assert "a.json cannot be read" in giftune("study", "results=a.json", "output=study")[2]
    rate(home, home / "answers" / "a.json", "A", "full")
    rate(home, home / "answers" / "b.json", "A", "full")
    status, _, err = giftune("study", "results=study/answers")
    assert status == 2 and "are both by the rater 'A'" in err and err.count("\n") == 1
    assert not (home / "study.md").exists()


def test_help_imports_nothing_heavy():
    code = (
        "import sys, giftune.cli.study as command\ncommand.main(['--help'])\n"
        "assert not {'torch', 'hydra', 'scipy', 'jinja2'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == study.HELP + "\n"
