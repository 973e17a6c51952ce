"""What is foreseen of a run is what it does."""

import json

import pytest

from giftune.cli._estimate import estimate
from giftune.cli._run import plain, run
from giftune.cli.tune import with_reader


def composed(*settings):
    found = []
    run("tune", with_reader(settings), lambda config: found.append(estimate(plain(config))))
    return found[0]


@pytest.mark.parametrize("method", ["giftune", "sdedit"])
def test_steps_and_disk_are_those_of_the_run(method, giftune, settings, tmp_path):
    given = [*settings, f"method={method}", "edit.prompts=[a panda,the beach,a dog]", "edit.num_steps=12"]
    given += ["trainer.max_steps=9"]
    foreseen = composed(*given)
    assert not (tmp_path / "runs").exists()
    assert giftune("tune", *given)[0] == 0
    (folder,) = (tmp_path / "runs").iterdir()
    done = json.loads((folder / "stages.json").read_text())
    assert foreseen.steps.keys() == done.keys()
    # parts of the steps, as SDEdit takes, are rounded
    assert all(abs(foreseen.steps[stage] - done[stage]["steps"]) <= 2 for stage in done)
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
    assert foreseen.disk_mb == pytest.approx(size, rel=0.35)
    assert 0 < foreseen.peak_mb < foreseen.limit_mb and foreseen.total_seconds > 0


def test_only_a_dry_run_writes_nothing(giftune, settings, tmp_path):
    status, out, _ = giftune("tune", *settings, "edit.prompts=[a panda]", "--dry-run")
    assert status == 0
    assert "tuning" in out and "memory" in out and "disk" in out
    assert not (tmp_path / "runs").exists()


def test_what_is_wrong_is_said_as_by_the_run(giftune, settings):
    status, _, err = giftune("tune", *settings, "dry_run=true", "edit.batch_size=0", "edit.prompts=[a]")
    assert status == 2 and "batch_size is 0" in err
