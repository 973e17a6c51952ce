import json
import subprocess
import sys

import pytest


def test_a_clip(giftune, clip_path):
    status, out, _ = giftune("info", clip_path)
    facts = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0
    assert facts == {
        "format": "gif",
        "size": "40 x 24",
        "frames": "5",
        "seconds": "0.25",
        "loop": "2 repeats",
    }


def test_a_gif_is_described_without_torch(clip_path):
    code = "import sys; from giftune.cli.main import main; main(sys.argv[1:]); print(*sys.modules)"
    command = [sys.executable, "-c", code, "info", clip_path]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "torch" not in printed.splitlines()[-1].split()


def test_a_folder_of_pictures(giftune, tmp_path, clip_path):
    from giftune.io.frames import write_frames
    from giftune.io.gif import read_gif

    write_frames(read_gif(clip_path), tmp_path / "frames")
    _, out, _ = giftune("info", tmp_path / "frames")
    assert "40 x 24" in out and "frames       5" in out


def test_a_run(giftune, finished):
    _, out, _ = giftune("info", finished)
    assert "caption      a cat runs" in out and "tuned        6 steps" in out and "finished" in out
    assert out.count("edit ") == 2 and "a panda" in out


def test_tuned_weights(giftune, finished):
    _, out, _ = giftune("info", finished / "weights.safetensors")
    assert "tuned weights" in out and "caption      a cat runs" in out and "sparse_causal" in out


def test_a_checkpoint(giftune, checkpoint):
    _, out, _ = giftune("info", checkpoint)
    assert "StableDiffusionPipeline" in out and "unet" in out and "epsilon" in out


def test_refuses(giftune, tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    (tmp_path / "other.safetensors").write_bytes(b"\0" * 20)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "provenance.json").write_text(json.dumps({"identity": {}}))
    for arguments in (["missing.gif"], ["notes.txt"], ["other.safetensors"], ["a.gif", "b.gif"]):
        status, out, said = giftune("info", *arguments)
        assert status == 2 and out == "" and said.count("\n") == 1


@pytest.mark.parametrize("content", ["", "{", "[]", "{}"])
def test_a_damaged_run_is_no_crash(giftune, tmp_path, content):
    (tmp_path / "provenance.json").write_text(content)
    status, _, said = giftune("info", tmp_path)
    assert status == 2 and f"{tmp_path} is damaged" in said
