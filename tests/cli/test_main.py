import os
import subprocess
import sys

import pytest

from giftune import __version__
from giftune.cli.main import COMMANDS, main

HEAVY = {"torch", "hydra", "omegaconf", "pytorch_lightning", "diffusers", "transformers", "rich", "PIL"}


def test_help_names_every_command(giftune):
    for arguments in ((), ("--help",), ("-h",)):
        status, out, _ = giftune(*arguments)
        assert status == 0 and all(command in out for command in COMMANDS) and "examples" in out


def test_version(giftune):
    assert giftune("--version") == (0, f"giftune {__version__}\n", "")


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_has_help_with_its_usage(giftune, command):
    try:
        status, out, _ = giftune(command, "--help")
    except SystemExit as stop:  # argparse
        status, out = stop.code, None
    assert status == 0
    if out is not None:
        assert out.startswith(f"usage: giftune {command}") and "example" in out


@pytest.mark.parametrize("arguments", [["--help"], ["tune", "--help"], ["edit", "-h"], ["info", "--help"]])
def test_help_imports_nothing_heavy(arguments):
    code = f"import sys; from giftune.cli.main import main; main({arguments}); print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not HEAVY & set(printed.splitlines()[-1].split())


def test_unknown_command(giftune):
    status, _, said = giftune("tuna")
    assert status == 2 and said == f"giftune: tuna is not a command; choose one of {', '.join(COMMANDS)}.\n"


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        (
            "backbone=sd16",
            "backbone=sd16 is not known; known are: dreamlike_photoreal_1, dreamlike",
        ),
        ("loss=[depht]", "loss=depht is not known; known are: "),
        ("edit.promts=[a]", "edit.promts is not known; did you mean edit.prompts?"),
        ("edit.colour=[a]", "edit.colour is not known; known are: prompts, prompts_file, num_steps"),
        ("backbon=sd15", "backbon is not known; did you mean backbone?"),
        ("sweeps=nothing", "sweeps=nothing is not known; known are: ablation, attention"),
        ("ablation=nothing", "ablation=nothing is not known; known are: first_frame_attn, full"),
        ("hydra/launcher=nothing", "hydra/launcher=nothing is not known; known are: basic, joblib"),
        ("faster", "faster is not a setting: settings are given as name=value."),
        ("data=gif", "data.path is missing: give it as data.path=..."),
        ("data.prompt=a cat, running", "'data.prompt=\"a cat, running\"'"),
        ("data.prompt=a cat's tail", "quote it once for the shell"),
        ("edit.prompts=['a", "edit.prompts_file=prompts.txt"),
        ("seed=${nothing}", "nothing"),
    ],
)
def test_mistakes_in_settings_are_explained(giftune, tmp_path, setting, sentence):
    status, out, said = giftune("tune", setting)
    assert status == 2 and out == "" and sentence in said
    assert said.startswith("giftune tune: ") and "Traceback" not in said and len(said) < 500
    assert list(tmp_path.iterdir()) == []


def test_warnings_become_notes(giftune, monkeypatch):
    import warnings
    from types import SimpleNamespace

    def command(argv):
        warnings.warn("the end is cut", stacklevel=1)
        warnings.warn("old", FutureWarning, stacklevel=1)
        raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "giftune.cli.info", SimpleNamespace(main=command))
    assert giftune("info") == (
        130,
        "",
        "note: the end is cut\ngiftune info: interrupted; the same command resumes.\n",
    )


def test_faults_of_the_program_are_not_hidden(monkeypatch):
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "giftune.cli.info", SimpleNamespace(main=lambda argv: {}["bug"]))
    with pytest.raises(KeyError):
        main(["info"])


def test_a_reader_that_has_gone_ends_it_quietly():
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "giftune.cli.main", "--help"], stdout=writer, stderr=subprocess.PIPE
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
