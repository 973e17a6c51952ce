"""Scores of drawn edits, against metrics and networks called by hand."""

import json

import pytest
import torch

from giftune.cli._scoring import FOREIGN, Scoring
from giftune.cli.edits import Edits
from giftune.cli.run_folder import RunFolder
from giftune.clip import Clip
from giftune.data.emojiworld import EmojiWorld
from giftune.emojiworld.oracle import load_oracle
from giftune.io.gif import read_gif, write_gif
from giftune.metrics import features
from giftune.metrics.flicker import flicker
from tests.metrics.tiny_networks import build_clip

FLICKER = {"flicker": {"_target_": "giftune.metrics.flicker.Flicker"}}
ORACLE = {"_target_": "giftune.emojiworld.oracle.load_oracle"}
TRUE = {
    "subject_accuracy": {
        "_target_": "giftune.metrics.attribute_accuracy.AttributeAccuracy",
        "oracle": ORACLE, "attribute": "subject",
    },
    "trajectory_error": {"_target_": "giftune.metrics.trajectory_error.TrajectoryError", "oracle": ORACLE},
    "true_warp_error": {"_target_": "giftune.metrics.warp_error.TrueWarpError"},
    "background_psnr": {"_target_": "giftune.metrics.background_psnr.BackgroundPsnr"},
}  # fmt: skip
PANDA, STRANGE = "a panda is jumping on the beach, sketch style", "a fox in a hat"


class Copier:
    """The source itself for every prompt, so that the oracle sees the source's subject where it is."""

    def edit(self, clip, prompts, generator, on_progress=None):
        return iter([clip] * len(prompts))


@pytest.fixture
def task():
    (task,) = EmojiWorld("fox", "snow", "plain", "jump", num_frames=3, size=64)
    return task


@pytest.fixture
def edits(tmp_path, task):
    (tmp_path / "provenance.json").write_text(json.dumps({"identity": {}, "method": "tune_a_video"}))
    edits = Edits(tmp_path / "edits", {"seed": 1, "quality": "best"})
    edits.draw(Copier(), task, [PANDA, STRANGE])
    return edits


@pytest.fixture
def score(tmp_path, task, edits):
    """Scores with these metrics; whether anything was measured, and the records."""

    def score(metrics, task=task):
        scoring = Scoring(metrics, RunFolder(tmp_path), task, Edits(edits.folder, edits.settings))
        changed = scoring.score(lambda *_: None)
        path = tmp_path / "records.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return changed, {record["prompt"]: record for record in map(json.loads, lines)}

    return score


def test_edits_are_scored_against_the_truth_of_their_clip(score, task, edits):
    changed, records = score(TRUE)
    panda, strange = records[PANDA], records[STRANGE]
    written = read_gif(edits.find(PANDA)).frames
    verdict = load_oracle().judge(written)
    error = (verdict.centres * 64 - task.truth["centres"]).norm(dim=1).mean()
    assert changed and panda["scores"]["trajectory_error"]["value"] == pytest.approx(float(error), rel=1e-5)
    assert panda["scores"]["subject_accuracy"]["value"] == verdict.subject.count("panda") / 3
    assert panda["scores"]["true_warp_error"]["unit"] == "1e-3" and not panda["skipped"]
    assert panda["scores"]["background_psnr"]["value"] > 30, "a copy, but for its palette"
    assert panda["changes"] == ["subject", "background", "style"]
    assert strange["skipped"] == {"subject_accuracy": FOREIGN} and strange["changes"] is None
    facts = {name: panda[name] for name in ("file", "settings", "clip", "source", "source_prompt", "method")}
    assert facts == {
        "file": f"edits/{edits.find(PANDA).name}",
        "settings": {"seed": 1, "quality": "best"},
        "clip": "fox-jump-snow-plain",
        "source": "source.gif",
        "source_prompt": "a fox is jumping in the snow",
        "method": "tune_a_video",
    }


def test_again_only_what_is_missing_or_measured_otherwise(score, edits, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "giftune.cli._scoring.read_gif", lambda path: seen.append(path.stem[:5]) or read_gif(path)
    )
    assert score(FLICKER)[0] and seen == ["a-pan", "a-fox"]
    assert not score(FLICKER)[0] and len(seen) == 2
    edits.find(STRANGE).unlink()
    edits.draw(Copier(), edits_task(), [STRANGE])
    assert score(FLICKER)[0] and seen[2:] == ["a-fox"]
    assert score({**FLICKER, "true_warp_error": TRUE["true_warp_error"]})[0] and len(seen) == 5
    assert score({})[0] is False and len(score({})[1]) == 2, "switched off, but not forgotten"


def edits_task():
    (task,) = EmojiWorld("fox", "snow", "plain", "jump", num_frames=3, size=64)
    return task


def clip_metric(source, device="auto"):
    network = {"_target_": "giftune.metrics.features.load_clip", "source": str(source), "device": device}
    target = "giftune.metrics.textual_faithfulness.TextualFaithfulness"
    return {"faithful": {"_target_": target, "clip": network}, **FLICKER}


def test_weights_that_were_missing_are_looked_for_again(score, tmp_path, monkeypatch):
    monkeypatch.setattr(features, "files", lambda package: tmp_path)
    features.load_clip.cache_clear()
    metrics = clip_metric("emojiworld")
    _, records = score(metrics)
    assert "not in this copy" in records[PANDA]["skipped"]["faithful"]
    assert records[PANDA]["without_weights"] == ["faithful"] and not score(metrics)[0]
    (tmp_path / "emojiworld" / "assets").mkdir(parents=True)
    folder = build_clip(tmp_path / "emojiworld" / "assets" / "clip")
    changed, records = score(metrics)
    assert changed and records[PANDA]["scores"]["faithful"]["backbone"] == "CLIP emojiworld"
    monkeypatch.setattr(features, "open_clip", None)  # from here on nothing can be loaded
    features.load_clip.cache_clear()
    assert not score(metrics)[0] and not score(clip_metric("emojiworld", device="cpu"))[0]
    with pytest.raises(AttributeError):
        score(clip_metric(folder))


def test_a_restored_edit_is_compared_at_the_model_s_size(score, tmp_path, edits):
    from giftune.data.gif import Gif

    source = Clip(torch.rand(3, 3, 40, 72, generator=torch.Generator().manual_seed(0)) * 2 - 1, (50,) * 3)
    write_gif(source, tmp_path / "clip.gif", "best")
    (task,) = Gif(tmp_path / "clip.gif", "noise", size=32, multiple=8)
    edits.draw(Copier(), task, ["other noise"])
    written = read_gif(edits.find("other noise"))
    assert (written.height, written.width) == (40, 72)
    _, records = score({**FLICKER, **TRUE}, task)
    value = records["other noise"]["scores"]["flicker"]["value"]
    assert value == pytest.approx(float(flicker(task.frame(written).frames)), rel=1e-5)
    needs = {"subject_accuracy": "asked", "trajectory_error": "centres", "true_warp_error": "flow"}
    assert records["other noise"]["skipped"] == {
        **{name: f"needs {need}." for name, need in needs.items()}, "background_psnr": "needs mask.",
    }  # fmt: skip
