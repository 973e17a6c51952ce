"""Every sweep, ablation and experiment composes, and asks what its name says."""

import re
from itertools import product

import pytest
from omegaconf import OmegaConf

from giftune.backbone.stable_diffusion import load_backbone
from giftune.cli._build import build
from giftune.cli._multirun import is_sweep, opened_hydra
from giftune.cli._run import ROOT, plain, run
from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.captions import words
from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES
from giftune.unet.video_unet import VideoUNet
from tests.checkpoints import build_sd1

SWEEPS = sorted(path.stem for path in (ROOT / "sweeps").glob("*.yaml"))
ABLATIONS = sorted(path.stem for path in (ROOT / "conf" / "ablation").glob("*.yaml"))
EXPERIMENTS = sorted(path.stem for path in (ROOT / "conf" / "experiment").glob("*.yaml"))
CLIPS = sorted(path.stem for path in (ROOT / "conf" / "data").glob("emojiworld_*.yaml"))
LOSSES = ["reconstruction", "background", "temporal"]


def compose(*settings):
    seen = []
    run("tune", settings, lambda config: seen.append(plain(config)))
    return seen[0]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return build_sd1(tmp_path_factory.mktemp("checkpoint"))


def grid(name):
    params = OmegaConf.to_container(OmegaConf.load(ROOT / "sweeps" / f"{name}.yaml"))["hydra"]["sweeper"][
        "params"
    ]
    return {key: [value.strip() for value in values.split(",")] for key, values in params.items()}


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_is_a_question_whose_cells_compose(name):
    text = (ROOT / "sweeps" / f"{name}.yaml").read_text()
    assert text.startswith("# @package _global_\n# Question:   ")
    for part in ("Hypothesis: ", "Cost:       ", "Answer:     "):
        assert f"\n# {part}" in text
    command = command_of(name)
    assert is_sweep(command, [f"sweeps={name}"])
    with opened_hydra(command) as hydra:
        for setting, values in grid(name).items():
            for value in values[:1] + values[-1:] if "(" not in ",".join(values) else []:
                config = hydra.compose_config(command, [f"sweeps={name}", f"{setting}={value}"], _run_mode())
                part = config.loss if command == "tune" else config.optimizer
                assert OmegaConf.to_container(part, resolve=True)


def command_of(name):
    """What the index says that runs it."""
    index = (ROOT / "sweeps" / "README.md").read_text()
    trainings = index[index.index("`giftune train sweeps=NAME`") :]
    return "train" if f"\n| `{name}` |" in trainings else "tune"


def _run_mode():
    from hydra.types import RunMode

    return RunMode.MULTIRUN


def test_the_index_lists_every_sweep_with_its_question_and_answer():
    index = (ROOT / "sweeps" / "README.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| (.+) \| (.+) \|$", index, re.MULTILINE)
    assert sorted(name for name, _, _ in rows) == SWEEPS
    for name, _, answer in rows:
        text = (ROOT / "sweeps" / f"{name}.yaml").read_text()
        assert ("not known yet" in answer) == ("Answer:     not known yet" in text)


def test_the_ablation_asks_all_that_it_should():
    cells = grid("ablation")
    assert len(list(product(*cells.values()))) == 9 * 4 * 2
    assert set(cells["ablation"]) <= set(ABLATIONS) and cells["ablation"][0] == "full"
    assert len(cells["data"]) == 4 and set(cells["data"]) <= set(CLIPS)


def test_the_comparison_is_large_enough():
    cells = grid("baselines")
    assert len(set(cells["data"])) >= 8 and len(set(cells["seed"])) >= 2
    for clip in cells["data"]:
        data = compose(f"data={clip}")["data"]
        assert len(set(data["prompts"])) == 3


@pytest.mark.parametrize("name", ABLATIONS)
def test_an_ablation_is_full_with_one_change(name, checkpoint):
    full, arm = compose("ablation=full"), compose(f"ablation={name}")
    assert list(full["loss"]) == LOSSES
    changes = {
        "full": {},
        "no_st_attn": {"pattern": "per_frame"},
        "first_frame_attn": {"pattern": "first_frame"},
        "no_temporal_attn": {"temporal": False},
        "no_attention": {"pattern": "per_frame", "temporal": False},
        "no_inversion": {"inversion_steps": None},
        "pooled_norm": {"norm": "pooled"},
        "no_down_blocks": {"frozen": ["down_blocks"]},
        "no_tuning": {"max_steps": 0},
        "no_smoothing": {"loss": ["reconstruction", "background"]},
        "no_background": {"loss": ["reconstruction", "temporal"]},
        "reconstruction_only": {"loss": ["reconstruction"]},
    }[name]
    assert described(arm) == {**described(full), **changes}
    method = build(arm["method"], "method", backbone=load_backbone(checkpoint, device="cpu"))
    assert isinstance(method.network, VideoUNet) and method.trainable()
    assert any("down_blocks" in part for part in method.trainable()) == (name != "no_down_blocks")


def described(config):
    method = config["method"]
    facts = {
        key: method[key] for key in ("temporal", "norm", "frozen", "inversion_steps", "seed", "guidance")
    }
    pattern = method["pattern"]["_target_"].rpartition(".")[2]
    return {
        **facts,
        "pattern": pattern,
        "max_steps": config["trainer"]["max_steps"],
        "loss": list(config["loss"]),
    }


def test_an_ablation_changes_methods_and_experiments_too():
    assert compose("ablation=no_smoothing", "method=tune_a_video")["method"]["norm"] == "pooled"
    for other in ("method=tune_a_video", "experiment=emojiworld_espresso"):
        assert "temporal" not in compose("ablation=no_smoothing", other)["loss"]


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_is_a_delta_with_its_command(name):
    text = (ROOT / "conf" / "experiment" / f"{name}.yaml").read_text()
    assert f"\n# giftune tune experiment={name}" in text and "\n# Minutes: " in text
    ours = name.startswith("emojiworld_")
    config = compose(f"experiment={name}", *([] if ours else ["data.path=clip.gif"]))
    assert ours == (config["backbone"]["source"] == "emojiworld")
    assert config["data"]["prompts"] and ("temporal" in config["loss"]) == ("no_smoothing" not in name)
    assert build(config["data"], "data") if ours else config["data"]["prompt"]


def test_every_demo_has_its_counterpart():
    ours = {name.removeprefix("emojiworld_") for name in EXPERIMENTS if name.startswith("emojiworld_")}
    text = "".join((ROOT / "conf" / "experiment" / f"emojiworld_{name}.yaml").read_text() for name in ours)
    demos = {name for name in EXPERIMENTS if not name.startswith("emojiworld_")} - {
        "panda_cubs"
    }  # one subject only
    assert all(demo in ours or f"{demo}" in text for demo in demos)


@pytest.mark.parametrize(
    "setting",
    [f"data={clip}" for clip in CLIPS] + [f"experiment={e}" for e in EXPERIMENTS if "emojiworld_" in e],
)
def test_clips_of_the_world_ask_for_what_the_model_has_learnt(setting):
    data = compose(setting)["data"]
    if "subjects" in data:  # several, of which captions name the first
        data |= {"subject": data["subjects"][0], "motion": data["kind"]}
    for prompt in data["prompts"]:
        subject, background, style = (found_in(prompt, known) for known in (SUBJECTS, BACKGROUNDS, STYLES))
        assert subject and background and not is_held_out(subject, background, style or "plain")
        assert set(prompt.replace(",", "").split()) <= set(words())
        changed = [subject != data["subject"], background != data["background"], bool(style)]
        assert any(changed)
    assert not is_held_out(data["subject"], data["background"], data["style"])
    chosen_on = {("rabbit", "grass", "jump"), ("car", "city", "run")}
    assert (data["subject"], data["background"], data["motion"]) not in chosen_on


def found_in(prompt, known):
    places = {name: getattr(known[name], "place", name) for name in known}
    return next((name for name, place in places.items() if re.search(rf"\b{place}\b", prompt)), None)


def test_a_missing_clip_is_one_sentence(tmp_path, monkeypatch, capsys):
    from giftune.cli.main import main

    monkeypatch.chdir(tmp_path)
    assert main(["tune", "experiment=surfing_sloth"]) == 2
    assert capsys.readouterr().err == "giftune tune: data.path is missing: give it as data.path=...\n"
    assert main(["tune", "experiment=surfing_sloth", "data.path=surfing.gif"]) == 2
    assert capsys.readouterr().err == "giftune tune: path surfing.gif does not exist\n"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("setting", "known"),
    [
        ("ablation=none", "first_frame_attn, full, no_attention"),
        ("hydra/launcher=none", "basic, joblib, local, ray, ray_aws, ray_local, slurm, submitit_local"),
    ],
)
@pytest.mark.parametrize("several", [[], ["-m", "seed=1,2"]])
def test_an_unknown_name_lists_those_that_are(setting, known, several, tmp_path, monkeypatch, capsys):
    from giftune.cli.main import main

    monkeypatch.chdir(tmp_path)
    assert main(["tune", *several, setting]) == 2
    assert f"{setting} is not known; known are: {known}" in capsys.readouterr().err
    assert not list(tmp_path.rglob("cell.json"))
