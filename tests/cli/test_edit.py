import json
import shutil

from giftune.io.gif import read_gif


def test_more_edits_without_tuning(giftune, finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    kept = {path: path.read_bytes() for path in (run / "weights.safetensors", run / "train.jsonl")}
    kept |= {path: path.read_bytes() for path in (run / "edits").glob("*.gif")}
    inversions = finished.parent.with_name("runs.cache") / "inversions"  # found wherever the run is now
    before = set(inversions.iterdir())
    status, out, said = giftune("edit", f"run={run}", "prompts=[a red ball]", "num_steps=2", "guidance=1")
    assert status == 0 and said == "" and "drew 1 edit" in out and "tuned" not in out
    assert {path: path.read_bytes() for path in kept} == kept
    (new,) = set((run / "edits").glob("*.gif")) - set(kept)
    assert new.name.startswith("a-red-ball-") and len(read_gif(new)) == 5
    assert len(set(inversions.iterdir()) - before) == 1  # of 2 steps; that of 3 was there
    records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
    assert [record["prompt"] for record in records] == ["a panda", "the beach", "a red ball"]
    assert "scored 1 edit" in out and records[2]["settings"]["num_steps"] == 2
    giftune("edit", f"run={run}", "prompts=[a fox]", "num_steps=2", "score=false")
    assert len((run / "records.jsonl").read_text().splitlines()) == 3


def test_another_sampler_draws_another_edit(giftune, finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    drawn = {}
    for name in ("ddim", "dpm_solver"):
        before = set((run / "edits").glob("*.gif"))
        given = (f"sampler={name}", "num_steps=3", "score=false")
        assert giftune("edit", f"run={run}", "prompts=[a red ball]", *given)[0] == 0
        (drawn[name],) = set((run / "edits").glob("*.gif")) - before
    assert drawn["ddim"].read_bytes() != drawn["dpm_solver"].read_bytes()


def test_refuses(giftune, finished, tmp_path):
    for arguments, sentence in (
        (["run=nowhere", "prompts=[a]"], "nowhere is not a run folder"),
        (["prompts=[a]"], "run is missing: give it as run=..."),
        ([f"run={finished}"], "prompts is empty"),
        ([f"run={finished}", "prompts=[a]", "quality=perfect"], "quality is 'perfect'"),
        ([f"run={finished}", "prompts=[a]", "guidance=high"], "guidance is 'high', it must be a number"),
        ([f"run={finished}", "prompts=[a]", "sampler=best"], "sampler"),
        ([f"run={finished}", "prompts=[a]", "source=moved.gif"], "moved.gif does not exist"),
        ([f"run={finished}", "prompts=[a]", f"source={finished / 'side_by_side.gif'}"], "is not the clip"),
    ):
        status, _, said = giftune("edit", *arguments)
        assert status == 2 and sentence in said and said.count("\n") == 1
