import json
import subprocess
import sys
import time

import pytest
from omegaconf import OmegaConf

from giftune.io.gif import read_gif


def test_the_run_folder_says_where_it_comes_from(finished):
    config = OmegaConf.load(finished / "config.yaml")
    assert OmegaConf.to_container(config, resolve=False) == OmegaConf.to_container(config, resolve=True)
    assert config.data.path.startswith("/") and config.data.prompt == "a cat runs"
    overrides = OmegaConf.load(finished / "overrides.yaml")
    assert "trainer.max_steps=6" in overrides and overrides[0] == "data=gif"
    facts = json.loads((finished / "provenance.json").read_text())
    assert facts["identity"]["trainer.max_steps"] == 6 and facts["packages"]["torch"]
    source = read_gif(finished / "source.gif")
    assert (source.height, source.width, source.loop) == (24, 40, 2)


MISTAKES = [
    ("trainer.max_steps=-1", "trainer.max_steps is -1"),
    ("optimizer.lr=-1", "Invalid learning rate: -1"),
    ("loss.temporal.weight=much", "loss.temporal.weight is 'much', it must be a number"),
    ("edit.quality=fine", "edit.quality is 'fine'"),
    ("data.size=30", "data.size is 30, it must be a multiple of 8"),
    ("data.prompt=", "data.prompt is empty"),
    ("backbone.device=tpu", "device is 'tpu'"),
]
MORE_MISTAKES = [
    ("optimizer.lr=fast", "optimizer.lr is 'fast'"),
    ("loss.temporal.weight=-1", "loss.temporal.weight is -1"),
    ("loss.temporal.module.mode=smooth", "mode is 'smooth'"),
    ("loss.temporal.module._target_=os.system", "loss.temporal.module._target_ is os.system"),
    ("method.posterior=mode", "posterior is 'mode'"),
    ("method.trainable=[attn7]", "attn7"),
    ("edit.num_steps=0", "num_steps is 0"),
    ("edit.batch_size=0", "batch_size is 0"),
    ("norm=shared", "norm=shared is not known; known are: per_frame, pooled."),
    ("data.num_frames=99", "num_frames=99"),
    ("data.multiple=1 data.size=30", "multiples of 8"),
    ("data.fit=fill", "data.fit is 'fill', it must be one of crop, pad, stretch"),
    ("backbone.source=/nowhere/at/all", "/nowhere/at/all"),
    ("edit.prompts=['']", "empty prompt"),
    ("edit.prompts_file=none.txt", "none.txt"),
]


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [*MISTAKES, *(pytest.param(*mistake, marks=pytest.mark.slow) for mistake in MORE_MISTAKES)],
)
def test_mistakes_are_found_before_anything_is_written(giftune, settings, tmp_path, setting, sentence):
    before = set(tmp_path.iterdir())
    status, _, said = giftune("tune", *settings, "edit.prompts=[a panda]", *setting.split())
    assert status == 2 and sentence in said and said.count("\n") == 1
    assert set(tmp_path.iterdir()) == before


def test_previews_and_csv_log(giftune, settings, tmp_path):
    extra = ["run_name=x", "trainer.preview_every=3", "logger=csv", "edit.prompts=[a panda]"]
    assert giftune("tune", *settings, *extra)[0] == 0
    run = tmp_path / "runs" / "x"
    assert sorted(path.name for path in (run / "previews").iterdir()) == ["step-00003.gif", "step-00006.gif"]
    assert len(read_gif(run / "previews" / "step-00003.gif")) == 5
    (table,) = run.rglob("metrics.csv")
    assert "loss/temporal" in table.read_text().splitlines()[0]


def test_a_run_takes_the_weights_of_one_that_was_tuned_alike(giftune, settings, tmp_path):
    settings = [*settings, "edit.prompts=[a panda]"]
    assert "tuned for 6 steps" in giftune("tune", *settings, "run_name=one")[1]
    status, out, _ = giftune("tune", *settings, "run_name=two", "inversion=none")
    one, two = (tmp_path / "runs" / name for name in ("one", "two"))
    assert status == 0 and f"took the weights of {one}, which" in out and "tuned for" not in out
    assert (two / "weights.safetensors").samefile(one / "weights.safetensors")
    assert (two / "train.jsonl").read_text() == (one / "train.jsonl").read_text()
    facts = json.loads((two / "provenance.json").read_text())
    assert facts["tuned_in"] == "one" and facts["method"] == "giftune"
    status, out, _ = giftune("tune", *settings, "run_name=three", "optimizer.lr=1e-3")
    assert status == 0 and "tuned for 6 steps" in out


@pytest.mark.slow
@pytest.mark.parametrize("names", [("one", "two"), ("same", "same")])
def test_two_processes_with_the_same_to_tune(giftune, settings, tmp_path, names):
    """One tunes and the other waits; in one folder both their edits are there."""
    given = [*settings, "trainer.max_steps=30", f"run_name={names[0]}", "edit.prompts=[a panda]"]
    command = [sys.executable, "-m", "giftune.cli.main", "tune", *given]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        while other.poll() is None and not list((tmp_path / "runs.cache" / "locks").glob("*")):
            time.sleep(0.01)
        given[-2:] = [f"run_name={names[1]}", "edit.prompts=[the beach]"]
        status, out, _ = giftune("tune", *given)
        outputs = [out, other.stdout.read()]
        assert status == 0 and other.wait() == 0
    assert sum("tuned for" in output for output in outputs) == 1
    prompts = {"one": ["a panda"], "two": ["the beach"], "same": ["a panda", "the beach"]}
    for name in names:
        run = tmp_path / "runs" / name
        assert len((run / "train.jsonl").read_text().splitlines()) == 30
        index = json.loads((run / "edits" / "index.json").read_text())
        records = [json.loads(line) for line in (run / "records.jsonl").read_text().splitlines()]
        assert sorted(entry["prompt"] for entry in index) == prompts[name]
        assert sorted(record["prompt"] for record in records) == prompts[name]
