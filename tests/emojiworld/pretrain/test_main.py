import json
import sys
from pathlib import Path

import pytest

from giftune.emojiworld.detector import Detector
from giftune.emojiworld.oracle import Oracle
from giftune.emojiworld.pretrain import __main__ as program
from giftune.emojiworld.pretrain import crowds, scenes


@pytest.mark.slow
def test_every_stage_runs_and_figures_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assets = tmp_path / "assets"
    assets.mkdir()
    monkeypatch.setattr(scenes, "CHUNK", 100)
    monkeypatch.setattr(crowds, "CHUNK", 100)
    monkeypatch.setattr(program, "ASSETS", assets)
    for name, folder in (("PIPELINE", "text_to_image"), ("DEPTH", "depth"), ("CLIP", "clip"),
                         ("CONTROL", "controlnet_depth")):  # fmt: skip
        monkeypatch.setattr(program, name, assets / folder)
    monkeypatch.setattr(program, "TEST_SCENES", 100)
    monkeypatch.setattr(program, "load_oracle", Oracle)
    monkeypatch.setattr(program, "load_detector", Detector)
    stages = (
        "autoencoder",
        "decoder",
        "oracle",
        "detector",
        "text-encoder",
        "text-to-image",
        "depth",
        "control",
        "clip",
        "sampling",
    )
    steps = [f"--{name}-steps=2" for name in stages]
    monkeypatch.setattr(
        sys,
        "argv",
        [
            "pretrain",
            "--work",
            str(tmp_path / "zoo"),
            "--scenes=200",
            "--samples=16",
            "--control-samples=16",
            *steps,
        ],
    )
    program.main()
    printed = capsys.readouterr().out
    figures = json.loads(printed[printed.index("{") :])
    assert set(figures) == {
        "autoencoder_psnr_db", "oracle_on_renders", "text_to_image_seen", "text_to_image_held_out",
        "detector", "depth", "control", "clip_zero_shot",
    }  # fmt: skip
    assert 0 <= figures["text_to_image_seen"]["subject"] <= 1
    assert set(figures["clip_zero_shot"]) == {"subject", "background", "style"}
    written = ("text_to_image/model_index.json", "oracle.safetensors", "depth/config.json",
               "detector.safetensors", "controlnet_depth/config.json",
               "clip/open_clip_config.json")  # fmt: skip
    assert all((assets / name).exists() for name in written)
