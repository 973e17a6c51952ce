"""`giftune evaluate` from end to end, with what every machine has and with tiny networks."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from giftune.cli import evaluate
from giftune.clip import Clip
from giftune.io.frames import write_frames
from giftune.io.gif import write_gif
from giftune.io.read import read_clip
from giftune.metrics import features
from tests import miniature
from tests.metrics.tiny_networks import build_clip, build_depth

PROMPTS = ["prompt=a dog is running", "source_prompt=a cat is running"]
QUICK = "metric=[flicker,loop_seam,background_psnr]"


@pytest.fixture(autouse=True)
def empty_caches(monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", "/nowhere")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "/nowhere")


@pytest.fixture
def pair(tmp_path):
    return [
        f"source={miniature.write_clip(tmp_path / 'source.gif', seed=1)}",
        f"edited={miniature.write_clip(tmp_path / 'edited.gif', seed=2)}",
        "device=cpu",
    ]


def scores_of(tmp_path, name="edited"):
    return json.loads((tmp_path / f"{name}.scores.json").read_text())


def test_with_nothing_but_the_clips_every_score_is_there_or_explained(giftune, pair, tmp_path):
    status, out, err = giftune("evaluate", *pair, *PROMPTS)
    assert (status, err) == (0, "")
    record = scores_of(tmp_path)
    assert set(record["scores"]) == {"flicker", "loop_seam"}
    frames = read_clip(tmp_path / "edited.gif").pixels().astype(int)
    assert record["scores"]["loop_seam"]["value"] == pytest.approx(
        np.abs(frames[-1] - frames[0]).mean(), rel=1e-4
    )
    assert record["scores"]["flicker"]["backbone"] == "pixels"
    assert "timm/vit_large_patch14_clip_224.openai" in record["skipped"]["frame_consistency"]
    assert (
        "raft_small" in record["skipped"]["warp_error"] and "download=true" in record["skipped"]["warp_error"]
    )
    assert record["skipped"]["background_psnr"] == "needs mask."
    assert record["skipped"]["subject_accuracy"] == "needs asked."
    assert len(record["scores"]) + len(record["skipped"]) == 21
    assert record["provenance"]["packages"]["torch"]
    for name in record["skipped"]:
        assert sum(name in line.split(": ")[0].replace(",", "").split() for line in out.splitlines()) == 1
    assert "\x1b" not in out and "\r" not in out


def test_with_networks_every_number_names_its_backbone(giftune, pair, tmp_path):
    clip_folder, depth_folder = build_clip(tmp_path / "tiny-clip"), build_depth(tmp_path / "tiny-depth")
    mask = np.zeros((24, 40), np.uint8)
    mask[:12] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    tiny = [f"networks.{name}.source={clip_folder}" for name in ("clip", "clip_small")]
    long = "source_prompt=a cat is running " + "very " * 71 + "slowly home"
    status, out, err = giftune(
        "evaluate", *pair, PROMPTS[0], long, f"mask={tmp_path / 'mask.png'}", *tiny,
        f"networks.depth.source={depth_folder}", "asked={subject: dog, background: beach, style: plain}",
    )  # fmt: skip
    assert status == 0
    assert err.count("\n") == 1 and "CLIP does not see this end of it: 'slowly home'" in err
    record = scores_of(tmp_path)
    assert set(record["skipped"]) == {"pick_score", "warp_error", "motion_fidelity", "background_lpips"}
    assert record["scores"]["frame_consistency"]["backbone"] == f"CLIP {clip_folder.name}"
    assert record["scores"]["background_depth"]["backbone"] == f"DPT {depth_folder.name}"
    source, edited = (read_clip(tmp_path / f"{name}.gif").pixels()[:, 12:] for name in ("source", "edited"))
    expected = np.mean([peak_signal_noise_ratio(a, b) for a, b in zip(source, edited, strict=True)])
    assert record["scores"]["background_psnr"]["value"] == pytest.approx(expected, rel=1e-4)
    for name, score in record["scores"].items():
        line = next(line for line in out.splitlines() if line.split()[:1] == [name])
        assert f"{score['value']:.4f}" in line and score["backbone"] in line


def test_any_kind_of_clip_and_another_place_for_the_scores(giftune, pair, tmp_path):
    (tmp_path / "frames").mkdir()
    write_frames(read_clip(tmp_path / "edited.gif"), tmp_path / "frames")
    target = tmp_path / "numbers.json"
    status, _, _ = giftune("evaluate", f"edited={tmp_path / 'frames'}", f"output={target}", QUICK)
    assert status == 0
    assert json.loads(target.read_text())["skipped"] == {"background_psnr": "needs source and mask."}
    assert giftune("evaluate", f"edited={tmp_path / 'frames'}", QUICK)[0] == 0
    assert scores_of(tmp_path, "frames")["scores"] == json.loads(target.read_text())["scores"]


def test_a_longer_source_of_another_size(giftune, tmp_path):
    Image.new("L", (80, 48)).save(tmp_path / "black.png")
    source = miniature.write_clip(tmp_path / "source.gif", num_frames=10, height=48, width=80)
    part = read_clip(source).sample(5, stride=None).fit(24, 40, "stretch")
    write_frames(part, tmp_path / "edited")
    given = [f"source={source}", f"edited={tmp_path / 'edited'}", f"mask={tmp_path / 'black.png'}", QUICK]
    status, _, err = giftune("evaluate", *given)
    assert status == 2 and "source has 10 frames and edited 5" in err and "frames=spread" in err
    status, _, err = giftune("evaluate", *given, "frames=spread")
    assert status == 2 and "source is 80 x 48 and edited 40 x 24 pixels" in err and "fit=crop" in err
    assert not (tmp_path / "edited.scores.json").exists()
    assert giftune("evaluate", *given, "frames=spread", "fit=stretch")[0] == 0
    exact = scores_of(tmp_path)["scores"]["background_psnr"]["value"]
    assert giftune("evaluate", *given, "frames=first", "fit=stretch")[0] == 0
    assert exact > 45 > scores_of(tmp_path)["scores"]["background_psnr"]["value"]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ("edited=nothing.gif", "nothing.gif"),
        ("frames=all", "frames is 'all', it must be one of same, first, spread"),
        ("fit=zoom", "fit is 'zoom'"),
        ("prompt=''", "prompt is empty"),
        ("asked={subject: dog}", "it must map subject, background, style"),
        ("asked={subject: zebra, background: beach, style: plain}", "asked.subject is 'zebra'"),
        ("output=no/such/folder.json", "its folder does not exist"),
        ("metric=[sharpness]", "metric=sharpness is not known"),
        ("device=tpu", "device is 'tpu'"),
    ],
)
def test_bad_input_is_one_sentence(giftune, pair, setting, sentence):
    status, out, err = giftune("evaluate", *pair, setting)
    assert status == 2 and sentence in err
    assert err.count("\n") == 1 and out == ""


def test_one_frame_is_no_clip(giftune, tmp_path):
    write_gif(Clip(torch.zeros(1, 3, 16, 16), (100,)), tmp_path / "one.gif")
    status, _, err = giftune("evaluate", f"edited={tmp_path / 'one.gif'}")
    assert status == 2 and "has 1 frame, a clip to be scored needs at least 2" in err
    assert "edited is missing" in giftune("evaluate")[2]


def test_grey_pictures_are_read_as_colour(giftune, tmp_path):
    (tmp_path / "grey").mkdir()
    for i in range(3):
        Image.new("L", (20, 16), 40 * i).save(tmp_path / "grey" / f"{i}.png")
    assert giftune("evaluate", f"edited={tmp_path / 'grey'}", QUICK)[0] == 0
    scores = scores_of(tmp_path, "grey")["scores"]
    assert scores["flicker"]["value"] == pytest.approx(40, rel=1e-3)
    assert scores["loop_seam"]["value"] == pytest.approx(80, rel=1e-3)


def test_the_embedded_networks_are_a_choice(giftune, pair, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "files", lambda package: tmp_path)
    features.load_clip.cache_clear()
    giftune("evaluate", *pair, *PROMPTS, "networks=emojiworld")
    assert "embedded CLIP is not in this copy" in scores_of(tmp_path)["skipped"]["frame_consistency"]


def test_help_imports_nothing_heavy():
    code = (
        "import sys, giftune.cli.evaluate as command\ncommand.main(['--help'])\n"
        "assert not {'torch', 'hydra'} & set(sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert result.stdout == evaluate.HELP + "\n"
