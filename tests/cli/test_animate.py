"""`giftune animate` from end to end, on a random checkpoint."""

import pytest
import torch

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.io.frames import write_frames
from giftune.io.read import read_clip
from giftune.methods.pix2gif import Pix2Gif


@pytest.fixture
def picture(tmp_path):
    """A PNG of 40 x 28 pixels."""
    frames = torch.rand(1, 3, 28, 40, generator=torch.Generator().manual_seed(2)) * 2 - 1
    write_frames(Clip(frames, (100,)), tmp_path / "folder")
    (path,) = (tmp_path / "folder").glob("*.png")
    return path.rename(tmp_path / "cat.png")


@pytest.fixture
def given(checkpoint, picture, tmp_path):
    return [
        f"image={picture}", "prompt=a cat runs", "size=32", "backbone=local", f"backbone.source={checkpoint}",
        "backbone.device=cpu", "edit.num_steps=2", f"paths.runs={tmp_path / 'runs'}",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def weights(checkpoint, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "w.safetensors"
    settings = {"sentence": " {number}", "embedding_gain": 20.0, "motion_range": [2, 6]}
    Pix2Gif(load_backbone(checkpoint, device="cpu"), **settings).save(path)
    return path


def test_a_picture_becomes_a_gif_of_its_size(giftune, given, weights, tmp_path):
    status, out, err = giftune("animate", *given, f"weights={weights}", "motion=5", "num_frames=3")
    assert (status, err) == (0, "") and f"written to {tmp_path / 'cat.animated.gif'}" in out
    clip = read_clip(tmp_path / "cat.animated.gif")
    assert (len(clip), clip.width, clip.height) == (3, 40, 28)
    assert clip.durations_ms == (250,) * 3 and clip.loop == 0


def test_a_motion_outside_of_what_was_trained_is_said(giftune, given, weights, tmp_path):
    target = f"output={tmp_path / 'a.gif'}"
    status, _, err = giftune("animate", *given, f"weights={weights}", "schedule=demo", target)
    assert status == 0 and len(read_clip(tmp_path / "a.gif")) == 8
    assert "outside of the trained range, 2 to 5 pixels" in err


BAD = [
    (["prompt= "], "prompt is empty, it must say what shall happen."),
    (["num_frames=0"], "num_frames is 0, it must be a whole number of at least 1, or null."),
    (["quality=huge"], "quality is 'huge', it must be one of"),
    (["output=nowhere/a.gif"], "output nowhere/a.gif cannot be written: its folder does not exist."),
    (["image=dog.png"], "path dog.png does not exist"),
    (["weights=dog.safetensors"], "path dog.safetensors is not a file"),
    (["motion=1.5"], "method.motion is 1.5, it must be a whole number."),
    (["weights=null", "motion=-1"], "motion is -1 over 8 frames, it must not be negative."),
    (["weights=null", "schedule=fast"], "schedule is 'fast', it must be even or one of"),
    (["method=sdedit"], "animate needs method=pix2gif."),
]


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [pytest.param(*case, marks=[pytest.mark.slow] * (n > 2)) for n, case in enumerate(BAD)],
)
def test_bad_input_is_one_sentence(giftune, given, settings, sentence, tmp_path):
    before = sorted(tmp_path.iterdir())
    status, _, err = giftune("animate", *given, *settings)
    assert status == 2 and sentence in err and err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_needed_is_said(giftune):
    status, _, err = giftune("animate", "prompt=a cat")
    assert status == 2 and "image is missing: give it as image=..." in err
