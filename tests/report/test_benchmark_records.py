import json
import shutil

import pytest

from giftune.report._lines import Reader
from giftune.report.benchmark_records import NAME, read_benchmark
from giftune.report.collect import collect
from giftune.report.results import Stage
from tests.benchmark_folders import Made, cell_folder, write_benchmark

FAILED = ("sdedit", "clip-1")
CELL, NAMELESS = "seed=33,data.clip='clip-1',method=sdedit", "method=sdedit,data.clip=clip-1,seed=33"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """With its run folders, not to be changed."""
    made = Made(("giftune", "sdedit"), clips=2, cells=True, failed=(FAILED,))
    return write_benchmark(tmp_path_factory.mktemp("benchmarks") / "whole", made)


@pytest.fixture
def alone(whole, tmp_path):
    shutil.copy(whole / NAME, tmp_path)
    return tmp_path


def lines(folder):
    return [json.loads(line) for line in (folder / NAME).read_text().splitlines()]


def known(results):
    return {
        (e.arm, e.clip, e.seed, e.prompt): (e.type, e.changes, e.scores, e.source_prompt, e.run.stages)
        for e in results.edits
    }


def test_the_file_alone_says_what_the_run_folders_say(whole, alone):
    one, other = collect([whole]), collect([alone])
    assert known(one) == known(other) and len(one.edits) == 12
    assert one.failures == ((CELL, "failed", "not enough memory."),)
    assert other.failures == (one.failures[0]._replace(cell=NAMELESS),)
    assert one.benchmark and other.benchmark and one.arms == other.arms == ["giftune", "sdedit"]
    assert one.notes == () and other.notes[0].startswith("12 of the files recorded are gone")
    assert all(edit.file.exists() for edit in one.edits)


def test_a_result_is_an_edit(alone):
    edit = collect([alone]).edits[0]
    line = lines(alone)[1]
    assert (edit.type, edit.changes, edit.seconds) == ("object", ("subject",), 2.0)
    assert {name: score._asdict() for name, score in edit.scores.items()} == line["scores"]
    assert edit.run.stages["tuning"] == Stage(20.0, 900.0) and edit.run.tuning_seconds == 20.0
    assert edit.run.provenance["commit"] == "0123456789abcdef0123" and edit.run.provenance["time"]
    assert edit.file == alone / line["folder"] / line["file"]


def test_folders_that_are_there_are_read_and_the_file_fills_the_rest(whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "part")
    gone = folder / cell_folder("giftune", "clip-1", 33)
    shutil.rmtree(gone)
    kept = folder / cell_folder("giftune", "clip-0", 33)
    text = (kept / "records.jsonl").read_text()
    (kept / "records.jsonl").write_text(text.replace('"seconds": 2.0', '"seconds": 5.0'))
    results = collect([folder])
    seconds = {edit.clip: edit.seconds for edit in results.edits if edit.arm == "giftune"}
    assert seconds == {"clip-0": 5.0, "clip-1": 2.0} and len(results.edits) == 12
    assert [failure.cell for failure in results.failures] == [CELL]


def test_the_later_line_counts_and_takes_back_a_failure(alone):
    known = lines(alone)
    again = known[1] | {"seconds": 7.0, "type": "style"}
    healed = known[1] | {"method": "sdedit", "clip": "clip-1", "prompt": "new"}
    healed["folder"] = cell_folder(*FAILED, 33)
    with (alone / NAME).open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in (again, healed))
    results = collect([alone])
    assert not results.failures and len(results.edits) == 13
    assert [e.type for e in results.edits if e.seconds == 7.0] == ["style"]


def test_with_the_sweep_beside_it_cells_have_its_names(whole, alone):
    shutil.copy(whole / "sweep.json", alone)
    results = collect([alone])
    assert {edit.run.name for edit in results.edits} == {edit.run.name for edit in collect([whole]).edits}
    assert [failure.cell for failure in results.failures] == [CELL]


def test_lines_without_a_folder_or_with_a_caption_are_read(alone):
    failure = {"kind": "failure", "method": "giftune", "clip": "new", "seed": 1, "reason": "killed."}
    result = lines(alone)[1] | {"folder": "method=giftune,data.clip=new,seed=1", "clip": "new", "seed": 1}
    del result["source_prompt"]
    with (alone / NAME).open("a") as file:
        file.write(json.dumps(failure) + "\n")
    assert len(collect([alone]).failures) == 2
    with (alone / NAME).open("a") as file:
        file.write(json.dumps(result | {"caption": "a fox"}) + "\n")
    results = collect([alone])
    assert len(results.failures) == 1 and results.edits[-1].source_prompt == "a fox"


def test_a_failure_after_results_stays(alone):
    failure = {"kind": "failure", "method": "giftune", "clip": "clip-0", "seed": 33, "reason": "killed."}
    failure["folder"] = cell_folder("giftune", "clip-0", 33)
    with (alone / NAME).open("a") as file:
        file.write(json.dumps(failure) + "\n")
    reasons = {failure.cell: failure.reason for failure in collect([alone]).failures}
    assert reasons["method=giftune,data.clip=clip-0,seed=33"] == "killed." and len(reasons) == 2


def test_damaged_lines_are_counted_and_others_ignored(alone):
    broken = [line | {"scores": 3} for line in lines(alone)[1:2]] + [{"kind": "result"}, {"kind": "failure"}]
    with (alone / NAME).open("a") as file:
        file.writelines(f"{json.dumps(line)}\n" for line in broken)
        file.write('{"kind": "remark"}\n{"kind": "resu')
    results = collect([alone])
    assert (
        len(results.edits) == 12 and results.notes[0] == "4 damaged entries were left out: results.jsonl (4)."
    )


def test_a_file_of_something_else_is_no_benchmark(tmp_path):
    (tmp_path / NAME).write_text('{"loss": 1}\n')
    reader = Reader()
    assert read_benchmark(tmp_path, reader) is None and not +reader.damaged
    assert read_benchmark(tmp_path / "nowhere", reader) is None


def test_a_clip_is_not_named_twice(whole):
    assert {edit.clip for edit in collect([whole]).edits} == {"clip-0", "clip-1"}
