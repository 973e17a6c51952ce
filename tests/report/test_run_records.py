import json

import pytest

from giftune.report._lines import Reader
from giftune.report.run_records import read_run
from tests.result_folders import write_run


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "run")


def records(run):
    return [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]


def test_a_record_is_an_edit(run):
    edit, _ = read_run(run, Reader())
    record = records(run)[0]
    assert (edit.prompt, edit.clip, edit.source_prompt) == tuple(
        record[name] for name in ("prompt", "clip", "source_prompt")
    )
    assert (edit.arm, edit.seed, edit.seconds) == ("giftune", "1", record["seconds"])
    assert edit.file.is_file() and edit.source.is_file()
    assert {name: score._asdict() for name, score in edit.scores.items()} == record["scores"]
    assert edit.skipped == record["skipped"]


def test_tuning_took_as_long_as_its_steps(run):
    steps = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    edit = read_run(run, Reader())[0]
    assert edit.run.tuning_seconds == pytest.approx(sum(step["seconds"] for step in steps))
    (run / "train.jsonl").unlink()
    assert read_run(run, Reader())[0].run.tuning_seconds is None


def test_steps_taken_again_after_a_restart_count_once(run):
    text = (run / "train.jsonl").read_text()
    (run / "train.jsonl").write_text(text + "".join(text.splitlines(keepends=True)[-5:]))
    losses = read_run(run, Reader())[0].run.losses
    assert [line["step"] for line in losses] == list(range(60))


def test_the_later_record_of_a_file_counts(run):
    again = records(run)[0] | {"seconds": 99.0}
    with (run / "records.jsonl").open("a") as file:
        file.write(json.dumps(again) + "\n")
    edits = read_run(run, Reader())
    assert [edit.seconds for edit in edits] == [99.0, records(run)[1]["seconds"]]


@pytest.mark.parametrize(
    ("choices", "arm"),
    [
        ({"ablation": "no_tuning", "data": "x", "data.seed": "3", "seed": "1"}, "no_tuning"),
        ({"trainer.max_steps": "100", "pattern": "full"}, "max_steps=100, pattern=full"),
        ({"seed": "1"}, "giftune"),
        ({"experiment": "surfing", "method": "tune_a_video"}, "tune_a_video"),
    ],
)
def test_an_arm_is_what_the_sweep_varies_besides_seed_and_data(run, choices, arm):
    (run / "cell.json").write_text(json.dumps({"sweep": "s", "name": "n", "choices": choices}))
    edit = read_run(run, Reader())[0]
    assert edit.arm == arm
    assert edit.clip.endswith(", seed=3") == ("data.seed" in choices)


def test_scores_beside_an_edit_are_picked_up(run):
    sharper = {"value": 7.0, "unit": "", "higher_is_better": True, "backbone": "pixels"}
    scores = {"sharpness": sharper, "flicker": sharper, "pick_score": sharper}
    (run / "edits" / "0.scores.json").write_text(json.dumps({"scores": scores, "skipped": {"fid": "no."}}))
    edit, other = read_run(run, Reader())
    assert edit.scores["sharpness"].value == edit.scores["flicker"].value == 7.0
    assert edit.skipped == {"fid": "no."} and "frame_consistency" in edit.scores
    assert "sharpness" not in other.scores


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": None},
        {"file": 3},
        {"scores": [1]},
        {"scores": {"a": {"value": "1"}}},
        {"seconds": "4"},
        {"type": 3},
        {"changes": 3},
    ],
)
def test_a_damaged_record_is_counted(run, change):
    with (run / "records.jsonl").open("a") as file:
        file.write(json.dumps(records(run)[0] | {"file": "edits/9.gif"} | change) + "\n")
    reader = Reader()
    assert len(read_run(run, reader)) == 2 and reader.damaged.total() == 1


def test_type_and_changes_come_with_a_record(run):
    known = {"type": "object", "changes": ["subject"]}
    one, other = records(run)
    (run / "records.jsonl").write_text(f"{json.dumps(one | known)}\n{json.dumps(other)}\n")
    first, second = read_run(run, Reader())
    assert (first.type, first.changes) == ("object", ("subject",))
    assert (second.type, second.changes) == (None, None)


def test_what_a_sweep_varies_about_a_clip_is_not_said_twice(run):
    name = records(run)[0]["clip"]
    for choice, clip in ((name, name), ("other", f"{name}, clip=other")):
        cell = {"sweep": "s", "name": "n", "choices": {"data.clip": choice}}
        (run / "cell.json").write_text(json.dumps(cell))
        assert read_run(run, Reader())[0].clip == clip


def test_a_score_that_was_no_number_is_left_out(run):
    text = json.dumps(records(run)[0] | {"scores": {"a": {"value": None, "higher_is_better": True}}})
    (run / "records.jsonl").write_text(text)
    assert read_run(run, Reader())[0].scores == {}
