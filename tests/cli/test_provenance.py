import subprocess
from importlib import metadata

from giftune.cli.provenance import provenance


def git(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    command = ["git", "-C", folder, *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_a_checkout_has_a_commit_and_may_be_dirty(tmp_path):
    git(tmp_path, "init")
    git(tmp_path, "commit", "--allow-empty", "-m", "first")
    clean = provenance(tmp_path)
    assert clean["commit"] == git(tmp_path, "rev-parse", "HEAD") and clean["dirty"] is False
    (tmp_path / "new").touch()
    assert provenance(tmp_path)["dirty"] is True


def test_a_wheel_inside_another_repository_has_none(tmp_path):
    git(tmp_path, "init")
    (tmp_path / "site").mkdir()
    found = provenance(tmp_path / "site")
    assert found["commit"] is None and found["dirty"] is None
    assert found["packages"]["torch"] == metadata.version("torch") and found["hardware"]["cpus"] > 0
