"""`giftune tune method=giftune_distilled`: a run folder, resumable and repeatable as every other."""

import json

import pytest

from giftune.unet.weights import read_metadata

PROMPTS = "edit.prompts=[a panda]"


@pytest.fixture
def command(settings, finished):
    given = [setting for setting in settings if not setting.startswith(("loss", "edit.num_steps"))]
    chosen = ["method=giftune_distilled", f"method.teacher={finished / 'weights.safetensors'}"]
    return ["tune", *given, *chosen, "method.steps=2", PROMPTS]


@pytest.mark.slow
def test_a_tuned_run_is_distilled_and_edited(giftune, command, finished, tmp_path):
    status, out, said = giftune(*command)
    assert (status, said) == (0, "") and "tuned for 6 steps" in out and "drew 1 edit" in out
    (run,) = (tmp_path / "runs").iterdir()
    metadata = read_metadata(run / "weights.safetensors")
    assert metadata["distilled"] == {"steps": 2, "guidance": None}
    teacher = read_metadata(finished / "weights.safetensors")
    assert metadata["base_fingerprint"] == teacher["base_fingerprint"] and "distilled" not in teacher
    losses = [json.loads(line)["raw"] for line in (run / "train.jsonl").read_text().splitlines()]
    assert len(losses) == 6 and all(set(line) == {"truncated_snr"} for line in losses)
    (record,) = map(json.loads, (run / "records.jsonl").read_text().splitlines())
    assert record["settings"]["num_steps"] == 2 and record["settings"]["guidance"] == 12.5
    before = {path: path.read_bytes() for path in run.glob("*.safetensors")}
    status, out, _ = giftune(*command)
    assert status == 0 and "tuned for" not in out and {p: p.read_bytes() for p in before} == before
    status, out, _ = giftune("edit", f"run={run}", "prompts=[the beach]", "score=false")
    assert status == 0 and "drew 1 edit" in out


def test_refuses_in_one_sentence_and_writes_nothing(giftune, command, tmp_path):
    teacher = next(setting for setting in command if setting.startswith("method.teacher"))
    others = [setting for setting in command if setting not in (teacher, "method.steps=2")]
    for extra, sentence in (
        ([], "method.teacher is missing: give it as method.teacher=..."),
        (["method.teacher=none.safetensors", "method.steps=2"], "none.safetensors is not a file"),
        ([teacher, "method.steps=3"], "steps is 3, twice of it must divide 1000"),
    ):
        status, _, said = giftune(*others, *extra)
        assert status == 2 and sentence in said and said.count("\n") == 1
        assert not list(tmp_path.glob("runs/*/weights.safetensors")) and not list(tmp_path.glob("runs/*/*"))
