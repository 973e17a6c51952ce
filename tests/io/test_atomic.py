import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from giftune.errors import InputError
from giftune.io.atomic import atomic_path, write_json, write_text


def test_the_target_appears_complete(tmp_path: Path) -> None:
    target = tmp_path / "clip.gif"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".gif" and temporary.parent == tmp_path and not target.exists()
    assert [file.name for file in tmp_path.iterdir()] == ["clip.gif"] and target.read_text() == "new"


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o007])
def test_a_file_may_be_read_as_any_other_whatever_its_writer_says(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        with atomic_path(tmp_path / "w.safetensors") as temporary:
            save_file({"x": torch.zeros(2)}, temporary)
        (tmp_path / "other").write_text("")
    finally:
        os.umask(before)
    assert (tmp_path / "w.safetensors").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("failure", [KeyboardInterrupt, ValueError, SystemExit])
def test_a_failure_leaves_the_target_and_no_litter(tmp_path: Path, failure) -> None:
    target = tmp_path / "clip.gif"
    target.write_text("old")
    with pytest.raises(failure), atomic_path(target) as temporary:
        temporary.write_text("half")
        raise failure
    assert [file.name for file in tmp_path.iterdir()] == ["clip.gif"] and target.read_text() == "old"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        OSError(errno.EROFS, "Read-only file system"),
    ],
)
def test_a_full_or_closed_disk_is_said_with_the_path(tmp_path: Path, error) -> None:
    message = r"w.gif cannot be written: (No space|Read-only)"
    with pytest.raises(InputError, match=message), atomic_path(tmp_path / "w.gif") as temporary:
        temporary.write_text("half")
        raise error
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full device")
def test_what_the_system_raises_on_a_full_disk_is_recognised(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No space left"), atomic_path(tmp_path / "a.txt") as temporary:
        temporary.symlink_to("/dev/full")
        temporary.write_text("x" * 100)
    assert not list(tmp_path.iterdir())


def test_errors_that_do_not_come_from_the_place_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "a.txt"):
        (tmp_path / "absent").read_text()


def test_places_that_cannot_be_written_are_refused(tmp_path: Path, monkeypatch) -> None:
    for target in (tmp_path / "absent" / "a.gif", tmp_path, Path("/dev/null"), tmp_path / ("x" * 300)):
        with pytest.raises(InputError, match=r"cannot be written"), atomic_path(target) as temporary:
            temporary.write_text("x")
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match="not writable"), atomic_path(tmp_path / "a.gif"):
        pass
    assert Path("/dev/null").is_char_device() and not list(tmp_path.iterdir())


def test_text_and_json_come_back(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "größer\n")
    assert (tmp_path / "a.txt").read_bytes() == "größer\n".encode()
    write_json(tmp_path / "a.json", {"b": [1, 2.5, None, (float("nan"), float("inf"))], "a": "ß"})
    text = (tmp_path / "a.json").read_text("utf-8")
    assert json.loads(text) == {"b": [1, 2.5, None, [None, None]], "a": "ß"}
    assert text.index('"b"') < text.index('"a"') and "ß" in text and text.endswith("\n")


def test_new_files_follow_the_umask(tmp_path: Path) -> None:
    write_text(tmp_path / "ours", "x")
    (tmp_path / "theirs").write_text("x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "theirs").stat().st_mode
