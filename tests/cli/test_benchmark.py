"""`giftune benchmark` in miniature: a folder of two clips with a sheet, methods that take a second."""

import json

import pytest

from giftune.benchmark.record import RecordFile
from giftune.cli._benchmark_plan import quoted, read_plan
from giftune.errors import InputError
from tests import miniature

SHEET = """
clips:
  a cat:
    caption: a cat runs
    edits:
      - {type: object, prompt: a dog runs}
      - {type: style, prompt: "a cat runs, sketch"}
  "007":
    caption: a spy runs
    edits:
      - {type: background, prompt: a spy runs on the beach}
"""


@pytest.fixture
def clips(tmp_path):
    folder = tmp_path / "clips"
    folder.mkdir()
    for seed, name in enumerate(("a cat", "007")):
        miniature.write_clip(folder / f"{name}.gif", seed=seed)
    (folder / "prompts.yaml").write_text(SHEET)
    return folder


@pytest.fixture
def settings(checkpoint, clips, tmp_path):
    given = miniature.settings(checkpoint, tmp_path / "runs", clips)
    kept = [s for s in given if not s.startswith(("data.prompt=", "trainer."))]
    return ["data=folder", *kept, "methods=[sdedit,frame_wise_ddim]", "estimate=false"]


def results(tmp_path):
    lines = RecordFile(tmp_path / "runs" / "benchmark-folder" / "results.jsonl").lines()
    return [{name: value for name, value in line.items() if name != "time"} for line in lines]


def facts(folder):
    return {
        path: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.suffix in (".gif", ".jsonl") or path.name == "failure.json"
    }


@pytest.mark.slow
def test_one_line_for_each_edit_and_nothing_twice(giftune, settings, tmp_path):
    status, out, err = giftune("benchmark", *settings)
    assert status == 0, out + err
    lines = results(tmp_path)
    origins = {line["id"] for line in lines if line["kind"] == "provenance"}
    found = [line for line in lines if line["kind"] == "result"]
    assert {(line["method"], line["clip"], line["prompt"], line["type"]) for line in found} == {
        (method, *edit)
        for method in ("sdedit", "frame_wise_ddim")
        for edit in (
            ("a cat", "a dog runs", "object"),
            ("a cat", "a cat runs, sketch", "style"),
            ("007", "a spy runs on the beach", "background"),
        )
    }
    folder = tmp_path / "runs" / "benchmark-folder"
    for line in found:
        assert line["seed"] == 33 and line["provenance"] in origins
        assert (folder / line["folder"] / line["file"]).is_file()
        assert (folder / line["folder"] / line["source"]).is_file()
        assert line["scores"]["flicker"]["value"] > 0
        assert line["stages"]["sampling"]["memory_mb"] > 0
        own = json.loads((folder / line["folder"] / "stages.json").read_text())
        assert own == line["stages"]
    before = facts(folder)
    assert giftune("benchmark", *settings)[0] == 0
    assert facts(folder) == before
    assert giftune("benchmark", *settings, "retry=true", "methods=[sdedit]")[0] == 0
    assert facts(folder) == before


@pytest.mark.slow
def test_results_that_a_killed_command_did_not_write_are_added(giftune, settings, tmp_path):
    assert giftune("benchmark", *settings, "methods=[sdedit]")[0] == 0
    file = tmp_path / "runs" / "benchmark-folder" / "results.jsonl"
    whole = results(tmp_path)
    file.write_bytes(file.read_bytes()[:-30])
    assert giftune("benchmark", *settings, "methods=[sdedit]")[0] == 0
    assert sorted(map(str, results(tmp_path))) == sorted(map(str, whole))


@pytest.mark.slow
def test_what_fails_is_listed_and_run_again_only_on_request(giftune, settings, tmp_path):
    given = [*settings, "methods=[sdedit,external]", "method.path=nowhere", "clips=['007']"]
    given = [s for s in given if not s.startswith("method.")]
    status, out, _ = giftune("benchmark", *given)
    assert status == 1 and "failed seed=33" in out and "retry=true" in out
    (failure,) = [line for line in results(tmp_path) if line["kind"] == "failure"]
    assert (failure["method"], failure["clip"]) == ("external", "007") and "method.path" in failure["reason"]
    before = facts(tmp_path / "runs")
    assert giftune("benchmark", *given)[0] == 1
    assert facts(tmp_path / "runs") == before
    assert giftune("benchmark", *given, "retry=true")[0] == 1
    changed = {path for path, fact in facts(tmp_path / "runs").items() if before.get(path) != fact}
    assert {path.name for path in changed} == {"failure.json"}


@pytest.mark.slow
def test_another_configuration_is_refused(giftune, settings, tmp_path):
    assert giftune("benchmark", *settings, "methods=[sdedit]", "clips=['007']")[0] == 0
    before = facts(tmp_path / "runs")
    status, _, err = giftune("benchmark", *settings, "edit.num_steps=4")
    assert status == 2 and "edit.num_steps is 3, here 4" in err and "sweep_name=" in err
    assert facts(tmp_path / "runs") == before


def test_a_clip_that_is_not_there_is_left_out_and_said(giftune, settings, clips, tmp_path):
    (clips / "a cat.gif").unlink()
    status, _, err = giftune("benchmark", *settings, "methods=[sdedit]")
    assert status == 0
    assert "1 of 2 clips are left out" in err and "a cat does not exist" in err
    assert {line["clip"] for line in results(tmp_path) if line["kind"] == "result"} == {"007"}


@pytest.mark.slow
def test_a_dry_run_only_estimates(giftune, settings, tmp_path):
    given = [s for s in settings if s != "estimate=false"]
    status, out, err = giftune("benchmark", *given, "--dry-run")
    assert status == 0, err
    assert out.count("a trial") == 2 and "of work" in out and "disk" in out
    assert not list((tmp_path / "runs").rglob("*.gif"))
    assert giftune("benchmark", *given, "methods=[sdedit]")[0] == 0
    _, out, _ = giftune("benchmark", *given, "--dry-run", "clips=null")
    assert out.count("a trial") == 1 and "sdedit" not in out


def test_a_method_that_cannot_be_tried_does_not_stop_the_estimate(giftune, settings):
    given = [s for s in settings if s != "estimate=false"]
    status, out, _ = giftune("benchmark", *given, "--dry-run", "methods=[external,sdedit]")
    assert status == 0 and "no estimate for external" in out and "of work" in out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["method=sdedit"], "methods=[...]"),
        (["seed=1"], "seeds=[...]"),
        (["methods=sdedit"], "methods is 'sdedit'"),
        (["seeds=[1,1]"], "names one twice"),
        (["seeds=[a]"], "seeds is ['a']"),
        (["clips=[dog]"], "it must be among a cat, 007"),
        (["-m"], "-m is not for benchmarks"),
        (["data=emojiworld", "clips=[dog]"], "one clip only"),
    ],
)
def test_bad_input(giftune, settings, tmp_path, more, said):
    given = [s for s in settings if not (more[0].startswith("data=") and s.startswith("data"))]
    status, _, err = giftune("benchmark", *given, *more)
    assert status == 2 and said in err, err
    assert not (tmp_path / "runs").exists()


def test_methods_change_before_clips_and_clips_before_seeds(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plan = read_plan([*settings, "seeds=[1,2]"])
    order = [tuple(cell.choices.values()) for cell in plan.cells]
    expected = [
        (s, c, m) for s in ("1", "2") for c in ("'a cat'", "'007'") for m in ("sdedit", "frame_wise_ddim")
    ]
    assert order == expected


@pytest.mark.parametrize("name", ["bear", "car-turn", "007", "a cat", "it's", "true", "x=y,z", "1e3", "[a]"])
def test_names_survive_the_command_line(name):
    from hydra.core.override_parser.overrides_parser import OverridesParser

    (override,) = OverridesParser.create().parse_overrides([f"data.clip={quoted(name)}"])
    assert override.value() == name or override.value()[:] == name
    assert not override.is_sweep_override()


def test_a_data_set_of_one_clip_has_no_clips_to_vary():
    plan = read_plan(["data=emojiworld", "methods=[sdedit]"])
    assert list(plan.choices) == ["seed", "method"]
    with pytest.raises(InputError, match="must be a list"):
        read_plan(["methods=[]"])
