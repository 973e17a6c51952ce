import sys

import pytest

from giftune.cli._run import ROOT, plain, run, settings_given
from giftune.errors import InputError


def composed(*settings, command="tune"):
    seen = []
    run(command, settings, lambda config: seen.append((plain(config), settings_given())))
    return seen[0]


def test_the_job_sees_the_settings_and_the_record_of_them():
    config, given = composed("seed=4", "data.motion=fly")
    assert config["seed"] == config["method"]["seed"] == 4 and config["data"]["motion"] == "fly"
    assert given == ["seed=4", "data.motion=fly"]


def test_the_working_directory_does_not_matter_and_stays_clean(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments = list(sys.argv)
    composed()
    assert list(tmp_path.iterdir()) == [] and sys.argv == arguments
    assert (ROOT / "conf").is_dir() and (ROOT / "sweeps").is_dir()


def test_a_job_s_own_error_arrives_as_it_is_and_alone(capsys):
    def job(config):
        raise InputError("no")

    with pytest.raises(InputError, match=r"^no$"):
        run("tune", [], job)
    assert capsys.readouterr() == ("", "")


def test_a_missing_value_is_an_error():
    with pytest.raises(Exception, match="Missing mandatory value"):
        composed("data=gif")


def test_options_may_stand_anywhere(capsys):
    run("tune", ["seed=4", "--cfg", "job", "data.motion=fly"], print)
    shown = capsys.readouterr().out
    assert "seed: 4" in shown and "motion: fly" in shown


def test_several_jobs_in_one_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    seen = []
    run("tune", ["seed=1,2", "-m", "data.motion=fly"], lambda config: seen.append(config.seed))
    assert seen == [1, 2]


def test_a_sweep_is_a_grid_that_composes_with_other_settings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    seen = []

    def job(config):
        seen.append(
            (plain(config)["method"]["pattern"]["_target_"].rpartition(".")[2], config.temporal, config.seed)
        )

    run("tune", ["sweeps=attention", "seed=9"], job)
    patterns = ("sparse_causal", "per_frame", "full")
    assert seen == [(pattern, temporal, 9) for pattern in patterns for temporal in (True, False)]


def test_refuses_flags():
    with pytest.raises(InputError, match="--max-steps=3 is not an option"):
        run("tune", ["--max-steps=3"], print)
