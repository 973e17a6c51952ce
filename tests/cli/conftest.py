import pytest

from giftune.cli.main import main
from tests import miniature


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory):
    return miniature.build(tmp_path_factory.mktemp("miniature"))


@pytest.fixture
def clip_path(tmp_path):
    return miniature.write_clip(tmp_path / "noise.gif")


@pytest.fixture
def settings(checkpoint, clip_path, tmp_path):
    return miniature.settings(checkpoint, tmp_path / "runs", clip_path)


@pytest.fixture
def giftune(capsys, tmp_path, monkeypatch):
    """The command itself; returns its exit status, what it printed, and what it said on stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        capsys.readouterr()
        status = main([str(argument) for argument in arguments])
        return status, *capsys.readouterr()

    return call


@pytest.fixture(scope="session")
def finished(checkpoint, tmp_path_factory):
    """A run folder with two edits, not to be changed, and the clip it came from."""
    folder = tmp_path_factory.mktemp("finished")
    clip = miniature.write_clip(folder / "noise.gif")
    given = miniature.settings(checkpoint, folder / "runs", clip)
    assert main(["tune", *given, "edit.prompts=[a panda, the beach]"]) == 0
    (run,) = (folder / "runs").iterdir()
    return run
