"""Every W&B sweep file makes, by W&B's own arithmetic, commands that compose."""

import itertools

import pytest
import yaml
from wandb.sdk.launch.sweeps.utils import create_sweep_command_args, make_launch_sweep_entrypoint

from giftune.cli._run import ROOT, plain, run

FILES = sorted((ROOT / "sweeps" / "wandb").glob("*.yaml"))


def points(sweep):
    """Two corners of the space: the first and the last of every parameter."""
    for which in (0, -1):
        yield {
            name: [given["value"]][which]
            if "value" in given
            else given.get("values", [given.get("min"), given.get("max")])[which]
            for name, given in sweep["parameters"].items()
        }


def test_the_questions():
    assert {path.stem for path in FILES} >= {"ablation", "learning_rate", "loss_weights"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_agent_runs_our_command(path):
    sweep = yaml.safe_load(path.read_text())
    assert sweep["name"] == path.stem and sweep["method"] in ("grid", "bayes", "random")
    assert sweep["metric"]["goal"] in ("minimize", "maximize")
    prefix, metric = sweep["metric"]["name"].split("/")
    assert prefix == "score_mean" and (ROOT / "conf" / "metric" / f"{metric}.yaml").exists()
    for point in points(sweep):
        values = create_sweep_command_args({"args": {name: {"value": x} for name, x in point.items()}})
        command, settings = make_launch_sweep_entrypoint(values, sweep["command"])
        assert command[:2] == ["giftune", "tune"]
        seen = []
        run("tune", [*command[2:], *settings], seen.append)
        config = plain(seen[0])
        assert config["logger"]["wandb"]["mode"] == "online"
        for name, value in point.items():
            *parents, last = name.split(".")
            node = config
            for parent in parents:
                node = node[parent]
            if not isinstance(node.get(last), dict) and isinstance(value, int | float):
                assert node[last] == pytest.approx(value)


def test_the_ablation_grid_names_what_exists():
    sweep = yaml.safe_load((ROOT / "sweeps" / "wandb" / "ablation.yaml").read_text())
    arms, clips = (sweep["parameters"][name]["values"] for name in ("ablation", "data"))
    for group, option in itertools.chain((("ablation", x) for x in arms), (("data", x) for x in clips)):
        assert (ROOT / "conf" / group / f"{option}.yaml").exists(), f"{group}={option}"
