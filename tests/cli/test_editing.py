import shutil

import pytest

from giftune.cli._editing import _updated
from giftune.errors import InputError


def config():
    return {
        "seed": 1,
        "method": {"num_steps": 50, "inversion_steps": 50, "guidance": 5.0, "batch_size": 4},
        "edit": {"quality": "small", "prompts": []},
        "data": {"path": "a.gif"},
        "metric": {"flicker": {}},
    }


NOTHING = dict.fromkeys(("seed", "num_steps", "guidance", "batch_size", "quality", "source")) | {
    "score": True
}


def test_what_is_not_given_stays():
    assert _updated(config(), NOTHING) == config()


def test_inversion_follows_the_number_of_steps():
    new = _updated(config(), {**NOTHING, "num_steps": 20, "seed": 0, "quality": "best", "source": "b.gif"})
    assert new["method"] == {"num_steps": 20, "inversion_steps": 20, "guidance": 5.0, "batch_size": 4}
    assert (new["seed"], new["edit"]["quality"], new["data"]["path"]) == (0, "best", "b.gif")
    assert _updated(config(), {**NOTHING, "score": False})["metric"] == {}
    plain = config()
    plain["method"]["inversion_steps"] = None
    assert _updated(plain, {**NOTHING, "num_steps": 20})["method"]["inversion_steps"] is None


def test_a_sampler_brings_its_number_of_steps_unless_one_is_given():
    run, dpm = config(), {"_target_": "giftune.sampling.solvers.dpm_solver"}
    run["method"]["solver"] = {"_target_": "giftune.sampling.solvers.ddim"}
    given = {**NOTHING, "sampler": dpm, "edit": {"num_steps": 20}}
    assert (new := _updated(run, given)["method"])["solver"] == dpm
    assert new["num_steps"] == new["inversion_steps"] == 20
    assert _updated(run, {**given, "num_steps": 15})["method"]["num_steps"] == 15
    with pytest.raises(InputError, match="the method of this run has only its own"):
        _updated(config(), given)


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("config.yaml", "a: [", "config.yaml cannot be read"),
        ("config.yaml", "a: 1", "config.yaml"),
        ("provenance.json", "{", "is not a run folder"),
        ("weights.safetensors", "x", "not a readable safetensors file"),
    ],
)
def test_a_damaged_run_is_refused(giftune, finished, tmp_path, name, content, sentence):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / name).write_text(content)
    status, _, said = giftune("edit", f"run={run}", "prompts=[a fox]")
    assert status == 2 and sentence in said


def test_a_run_folder_cannot_run_code(giftune, finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    evil = (run / "config.yaml").read_text().replace("giftune.data.gif.Gif", "os.system")
    (run / "config.yaml").write_text(evil)
    status, _, said = giftune("edit", f"run={run}", "prompts=[a fox]")
    assert status == 2 and "data._target_ is os.system" in said


def test_an_unfinished_run_is_refused(giftune, finished, tmp_path):
    run = shutil.copytree(finished, tmp_path / "run")
    (run / "weights.safetensors").unlink()
    status, _, said = giftune("edit", f"run={run}", "prompts=[a fox]")
    assert status == 2 and "not tuned to the end" in said
