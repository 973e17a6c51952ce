"""Methods that learn nothing go through the same commands, folders, scores and reports as those that do."""

import json

import pytest

from giftune.cli.main import main
from giftune.io.read import probe
from tests import miniature

PROMPTS = "edit.prompts=[a panda, the beach]"
METHODS = ["sdedit", "frame_wise_ddim", "text2video_zero", "text2video_zero_inversion"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return miniature.build(tmp_path_factory.mktemp("miniature"))


@pytest.fixture
def tune(checkpoint, tmp_path, capsys):
    clip_path = miniature.write_clip(tmp_path / "noise.gif")

    def call(*extra):
        capsys.readouterr()
        status = main(["tune", *miniature.settings(checkpoint, tmp_path / "runs", clip_path), *extra])
        return status, sorted((tmp_path / "runs").glob("*")), *capsys.readouterr()

    return call


@pytest.mark.parametrize("method", METHODS)
def test_a_run_is_complete_without_weights(tune, method):
    status, (run,), out, said = tune(f"method={method}", PROMPTS)
    assert status == 0 and said == "" and "tuned" not in out
    assert {path.name for path in run.iterdir()} == {
        *("config.yaml", "overrides.yaml", "provenance.json", "edits", "source.gif"),
        *("contact_sheet.png", "side_by_side.gif", "records.jsonl", "stages.json", ".lock"),
    }
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    assert [record["prompt"] for record in records] == ["a panda", "the beach"]
    assert all(record["method"] == method and "flicker" in record["scores"] for record in records)
    assert all(probe(run / record["file"]).num_frames == 5 for record in records)


def test_settings_of_tuning_make_no_new_run_and_those_of_the_method_do(tune):
    tune("method=sdedit", PROMPTS)
    _, runs, out, _ = tune("method=sdedit", PROMPTS, "trainer.max_steps=9", "loss=[reconstruction]")
    assert len(runs) == 1 and "drew" not in out
    _, runs, _, _ = tune("method=sdedit", PROMPTS, "method.strength=0.5")
    assert len(runs) == 2


def test_edit_draws_more_from_such_a_run(tune, capsys):
    _, (run,), _, _ = tune("method=sdedit", PROMPTS)
    assert main(["edit", f"run={run}", "prompts=[the red ball]"]) == 0
    assert "drew 1 edit" in capsys.readouterr().out
    assert len(json.loads((run / "edits" / "index.json").read_text())) == 3
    assert main(["edit", f"run={run}", "prompts=[the red ball]", "guidance=1.5"]) == 0
    assert len(json.loads((run / "edits" / "index.json").read_text())) == 4


def test_a_sweep_over_methods_fills_one_report(tune, capsys, tmp_path):
    methods = "method=giftune,sdedit,text2video_zero"
    status, (sweep,), _, _ = tune("-m", methods, "sweep_name=compared", "edit.prompts=[a panda]")
    assert status == 0
    cells = {path.parent.name for path in sweep.glob("*/cell.json")}
    assert len(cells) == 3
    assert main(["report", str(sweep)]) == 0
    tables = "".join(path.read_text() for path in sweep.rglob("*.md"))
    assert all(name in tables for name in ("giftune", "sdedit", "text2video\\_zero"))


def test_a_bad_setting_leaves_no_folder(tune):
    status, runs, _, said = tune("method=sdedit", "method.strength=2", PROMPTS)
    assert status == 2 and not runs and said.count("\n") == 1 and "strength is 2" in said
