"""Every option of every group of the main job composes, and what it describes can be built."""

import pytest
from diffusers import UNetMotionModel
from omegaconf import OmegaConf

from giftune.backbone.stable_diffusion import load_backbone
from giftune.cli._build import build
from giftune.cli._method import has_backbone, is_controlled
from giftune.cli._run import ROOT, plain, run
from giftune.unet.pix2gif_unet import Pix2GifUNet
from giftune.unet.video_unet import VideoUNet
from tests.checkpoints import build_sd1
from tests.control_checkpoints import build_controlnet
from tests.motion_checkpoints import build_animatelcm

CONF = ROOT / "conf"
GROUPS = {
    group for entry in OmegaConf.load(CONF / "base.yaml").defaults if entry != "_self_" for group in entry
}
OPTIONS = sorted(
    (path.parent.name, path.stem)
    for path in CONF.glob("*/[a-z]*.yaml")
    if path.parent.name in GROUPS - {"ablation", "experiment"}  # in test_sweeps.py
)
NEEDED = {
    ("backbone", "fast_dreambooth"): ["backbone.source=here"],
    ("backbone", "local"): ["backbone.source=here"],
    ("control", "given"): ["control.signal.path=a.gif", "control.weights.source=emojiworld"],
    ("data", "davis42"): ["data.path=DAVIS"],
    ("data", "folder"): ["data.path=clips"],
    ("data", "gif"): ["data.path=cat.gif", "data.prompt=a cat"],
    ("data", "loveu_tgve"): ["data.path=loveu-tgve-2023"],
    ("method", "external"): ["method.path=here"],
    ("method", "giftune_distilled"): ["method.teacher=here"],
}


def compose(*settings, command="tune"):
    seen = []
    run(command, settings, lambda config: seen.append(plain(config)))
    return seen[0]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return build_sd1(tmp_path_factory.mktemp("checkpoint"))


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=str)
def test_every_option(group, option, checkpoint, tmp_path):
    value = f"[{option}]" if group == "loss" else option
    # the depth network of real checkpoints is not here; `loss=background` builds the embedded one
    without_depth = ["loss=[reconstruction,temporal]"] if group == "backbone" else []
    config = compose(f"{group}={value}", *NEEDED.get((group, option), []), *without_depth)
    built = build({name: config[name] for name in ("loss", "optimizer", "trainer")}, "config")
    assert built["trainer"].max_steps == config["recommended"]["max_steps"]
    assert built["optimizer"].keywords["lr"] == config["recommended"]["learning_rate"]
    assert all(part["weight"] > 0 for part in built["loss"].values())
    for make in build(config.get("logger") or {}, "logger").values():
        make(save_dir=str(tmp_path))
    if group in ("method", "pattern", "temporal", "norm", "inversion") and has_backbone(config):
        backbone = load_backbone(checkpoint, device="cpu")
        if "adapter" in config["method"]:
            config["method"]["adapter"] = str(build_animatelcm(tmp_path / "adapter", backbone.unet))
        if is_controlled(config):  # the embedded ControlNet is for the embedded model
            config["method"]["control"]["weights"]["source"] = str(build_controlnet(tmp_path / "control"))
        method = build(config["method"], "method", backbone=backbone)
        assert isinstance(method.network, VideoUNet | UNetMotionModel | Pix2GifUNet)


@pytest.mark.parametrize(("group", "option"), OPTIONS, ids=str)
def test_a_configuration_is_a_short_delta(group, option):
    lines = (CONF / group / f"{option}.yaml").read_text().splitlines()
    assert len(lines) <= 25


def test_naming_a_backbone_changes_what_suits_it():
    small, large = compose(), compose("backbone=sd15")
    for config, size, frames, steps, lr, guidance in (
        (small, 64, 8, 150, 3e-3, 3.0),
        (large, 512, 24, 500, 3e-5, 12.5),
    ):
        assert (config["data"]["size"], config["data"]["num_frames"]) == (size, frames)
        assert (config["trainer"]["max_steps"], config["optimizer"]["lr"]) == (steps, lr)
        assert config["method"]["guidance"] == guidance
    assert compose("backbone=sd15", "trainer.max_steps=9")["trainer"]["max_steps"] == 9


def test_tune_a_video_is_a_delta_of_giftune():
    base, delta = compose(), compose("method=tune_a_video")
    assert delta["method"] == {**base["method"], "norm": "pooled"}
    assert list(delta["loss"]) == ["reconstruction"]
    assert list(base["loss"]) == ["reconstruction", "background", "temporal"]
    again = compose("method=tune_a_video", "norm=per_frame", "loss=[temporal]")
    assert again["method"]["norm"] == "per_frame" and list(again["loss"]) == ["temporal"]


def test_ablations_are_one_setting_each():
    assert compose("inversion=none")["method"]["inversion_steps"] is None
    assert compose("edit.num_steps=7")["method"]["inversion_steps"] == 7
    assert compose("temporal=none")["method"]["temporal"] is False
    assert compose("pattern=per_frame")["method"]["pattern"]["_target_"].endswith("per_frame")
    assert compose("seed=8")["method"]["seed"] == 8


def test_the_embedded_model_is_scored_by_the_embedded_networks(tmp_path):
    def clip(*settings):
        config = compose(*settings)
        used = config["metric"]["textual_faithfulness"]["clip"]
        assert used == config["networks"]["clip"]
        return used["source"], used["device"]

    assert clip() == ("emojiworld", "auto") and clip("backbone=sd15") == ("ViT-L-14", "auto")
    assert clip("networks=published")[0] == "ViT-L-14"
    assert clip("backbone=sd15", "networks=emojiworld", "backbone.device=cpu") == ("emojiworld", "cpu")
    (tmp_path / "experiment").mkdir()
    for number, (groups, source) in enumerate(
        (
            (["backbone: sd15"], "ViT-L-14"),
            (["networks: published"], "ViT-L-14"),
            (["loss: []"], "emojiworld"),
        )
    ):
        lines = "".join(f"  - override /{group}\n" for group in groups)
        (tmp_path / "experiment" / f"e{number}.yaml").write_text(f"# @package _global_\ndefaults:\n{lines}")
        extra = [f"hydra.searchpath=[file://{tmp_path}]", f"experiment=e{number}"]
        assert clip(*extra)[0] == source
        assert clip(*extra, "networks=emojiworld")[0] == "emojiworld"


def test_every_metric_is_measured_unless_others_are_chosen():
    files = {path.stem for path in (CONF / "metric").glob("*.yaml")} - {"all", "of_clips"}
    assert set(compose()["metric"]) == files
    assert set(compose("metric=[flicker,loop_seam]")["metric"]) == {"flicker", "loop_seam"}
    assert not compose("metric=[]").get("metric")
    given = compose("edited=a.gif", command="evaluate")["metric"]
    truths = {"true_warp_error", "true_background_depth", "trajectory_error", "subjects_kept"}
    assert files - set(given) == truths


def test_experiments_override_the_base(tmp_path):
    (tmp_path / "experiment").mkdir()
    delta = "# @package _global_\ndefaults:\n  - override /norm: pooled\nseed: 77\n"
    (tmp_path / "experiment" / "e1.yaml").write_text(delta)
    extra = [f"hydra.searchpath=[file://{tmp_path}]", "experiment=e1"]
    config = compose(*extra)
    assert config["seed"] == 77 and config["norm"] == "pooled"
    assert compose(*extra, "seed=5")["seed"] == 5


def test_no_line_is_left_over():
    """Everything a user can set reaches something."""
    text = "\n".join(path.read_text() for path in CONF.rglob("*.yaml"))
    recommended = OmegaConf.load(CONF / "backbone" / "_checkpoint.yaml").recommended
    for name in recommended:
        assert f"${{recommended.{name}}}" in text
