import json
import shutil
from collections import Counter

import pytest

from giftune.errors import InputError
from giftune.report.collect import collect
from tests.result_folders import CLIPS, EFFECTS, Sweep, write_run, write_sweep


def test_a_sweep_is_arms_by_clips_by_seeds_by_prompts(ablation):
    results = collect([ablation])
    counts = Counter(edit.arm for edit in results.edits)
    assert counts == {"full": 12, "no_inversion": 12, "no_st_attn": 12, "no_tuning": 10}
    assert results.arms == list(EFFECTS)
    assert {edit.seed for edit in results.edits} == {"1", "2"}
    assert len({edit.clip for edit in results.edits}) == len(CLIPS)
    assert results.constants == {"optimizer.lr": 0.003, "loss": "[temporal]"}
    (failure,) = results.failures
    assert failure == ("ablation=no_tuning,data=emojiworld_penguin,seed=2", "failed", "tuning diverged")
    assert results.notes == ()


def test_the_order_is_that_of_the_sweep(tmp_path):
    write_sweep(tmp_path / "s", Sweep(("no_tuning", "full"), CLIPS[:1], (2, 1)))
    assert collect([tmp_path]).arms == ["no_tuning", "full"]


def test_cells_that_left_nothing_are_named(tmp_path):
    folder = write_sweep(tmp_path / "s", Sweep(("full", "no_tuning"), CLIPS[:1], (1,)))
    sweep = json.loads((folder / "sweep.json").read_text())
    sweep["cells"].append({"name": "later", "folder": "later", "state": "missing", "reason": None})
    (folder / "sweep.json").write_text(json.dumps(sweep))
    (folder / sweep["cells"][1]["folder"] / "records.jsonl").unlink()
    failures = {failure.cell: failure[1:] for failure in collect([folder]).failures}
    assert failures == {
        sweep["cells"][1]["name"]: ("done", "it left no records.jsonl"),
        "later": ("missing", "not run yet"),
    }


def test_what_a_killed_sweep_finished_is_not_missing(tmp_path):
    folder = write_sweep(tmp_path / "s", Sweep(("full", "no_tuning"), CLIPS[:1], (1,)))
    sweep = json.loads((folder / "sweep.json").read_text())
    for cell in sweep["cells"]:
        cell["state"] = "missing"
    (folder / "sweep.json").write_text(json.dumps(sweep))
    before = {failure.cell for failure in collect([folder]).failures}
    for path in folder.glob("*/cell.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 1.5}))
    assert before and not collect([folder]).failures


def test_folders_within_each_other_are_read_once(ablation):
    once = collect([ablation])
    cell = next(path for path in ablation.iterdir() if path.is_dir())
    assert len(collect([ablation, cell, ablation.parent]).edits) == len(once.edits)


def test_damage_is_counted_and_named_in_one_line(tmp_path):
    run = write_run(tmp_path / "run")
    with (run / "records.jsonl").open("ab") as file:
        file.write(b'{"prompt": "half')
    with (run / "train.jsonl").open("ab") as file:
        file.write(b'\xff\xfe\n[1, 2]\n{"step": "x"}\n')
    results = collect([tmp_path])
    assert len(results.edits) == 2 and len(results.runs[0].losses) == 60
    assert results.notes == ("4 damaged entries were left out: run/records.jsonl (1), run/train.jsonl (3).",)


@pytest.mark.parametrize("name", ["cell.json", "provenance.json", "sweep.json", "manifest.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_damaged_files_are_never_fatal(tmp_path, name, content):
    run = write_run(tmp_path / "run")
    (run / name).write_bytes(content)
    results = collect([tmp_path])
    assert len(results.edits) == 2 and f"run/{name} (1)" in results.notes[0]


@pytest.mark.parametrize("key", ["cells", "config", "choices", "identity", "packages", "hardware"])
def test_entries_of_another_kind_are_ignored(tmp_path, key):
    run = write_run(tmp_path / "run")
    for name in ("cell.json", "provenance.json", "sweep.json"):
        (run / name).write_text(json.dumps({key: 3}))
    results = collect([tmp_path])
    assert results.arms == ["giftune"] and results.runs[0].identity == {}


def test_files_that_are_gone_are_said(tmp_path):
    run = write_run(tmp_path / "run")
    (run / "edits" / "1.gif").unlink()
    assert collect([tmp_path]).notes == ("1 of the files recorded are gone, run/edits/1.gif first.",)


def test_runs_of_one_name_are_told_apart_by_what_differs(tmp_path):
    one, other = write_run(tmp_path / "one", "full"), write_run(tmp_path / "two", "no_tuning")
    assert collect([tmp_path]).arms == ["giftune, arm=full", "giftune, arm=no_tuning"]
    (other / "provenance.json").write_text((one / "provenance.json").read_text())
    assert collect([tmp_path]).arms == ["giftune, run=one", "giftune, run=two"]


def test_experiments_share_a_column_unless_they_share_a_clip(tmp_path):
    for name, clip in (("a", CLIPS[0]), ("b", CLIPS[1]), ("b2", CLIPS[1])):
        cell = {"sweep": "s", "name": name, "choices": {"experiment": name}}
        write_run(tmp_path / name, clip=clip, cell=cell)
    results = collect([tmp_path])
    assert results.arms == ["giftune", "giftune, experiment=b", "giftune, experiment=b2"]
    assert {edit.run.name for edit in results.edits if edit.arm == "giftune"} == {"a"}


def test_edits_with_other_settings_are_another_arm(tmp_path):
    run = write_run(tmp_path / "run")
    lines = (run / "records.jsonl").read_text().splitlines()
    again = json.loads(lines[0])
    shutil.copy(run / again["file"], run / "edits" / "again.gif")
    again |= {"file": "edits/again.gif", "settings": {**again["settings"], "guidance": 9.0}}
    (run / "records.jsonl").write_text("\n".join([*lines, json.dumps(again)]))
    assert collect([run]).arms == ["giftune, guidance=3.0", "giftune, guidance=9.0"]


def test_one_name_of_two_networks_is_two_metrics(tmp_path):
    write_run(tmp_path / "one", clip=CLIPS[0])
    other = write_run(tmp_path / "two", clip=CLIPS[1])
    text = (other / "records.jsonl").read_text()
    (other / "records.jsonl").write_text(text.replace("CLIP tiny", "CLIP large"))
    names = {name for edit in collect([tmp_path]).edits for name in edit.scores}
    assert {"frame_consistency (CLIP tiny)", "frame_consistency (CLIP large)", "flicker"} <= names
    assert "frame_consistency" not in names


def test_nothing_to_report_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"nothing to report in .*: no records\.jsonl"):
        collect([tmp_path])
    with pytest.raises(InputError, match="nowhere is not a folder"):
        collect([tmp_path / "nowhere"])
