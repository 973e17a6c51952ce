import json
import signal
from functools import partial

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from giftune.errors import InputError
from giftune.training.module import step_generator
from giftune.training.tuner import Tuner


@pytest.fixture
def fit(loss, make_optimizer, tmp_path):
    def fit(method, folder=tmp_path, seed=3, tuner=None, **settings):
        settings = {"max_steps": 12, "checkpoint_every": 5, **settings}
        (tuner or Tuner)(**settings).fit(
            method, method.prepare(None, ""), loss, make_optimizer, folder, seed, **extra.pop("fit", {})
        )
        return method.network["learnt"].detach().clone()

    extra = {}
    fit.extra = extra
    return fit


def test_the_same_as_a_plain_loop(fit, toy, loss, make_optimizer):
    tuned = fit(toy())
    plain = toy()
    optimizer = make_optimizer([plain.network["learnt"]])
    for step in range(12):
        optimizer.zero_grad()
        loss(plain.step(plain.prepare(None, ""), step_generator(3, step)))[0].backward()
        clip_grad_norm_([plain.network["learnt"]], 1.0)
        optimizer.step()
    assert tuned.equal(plain.network["learnt"])
    assert not tuned.equal(toy().network["learnt"])


@pytest.mark.parametrize("killed_after", [4, 5, 8, 11])
def test_resuming_ends_with_the_same_bits(fit, toy, tmp_path, killed_after):
    whole, broken = toy(), toy()
    expected = fit(whole, tmp_path / "whole")

    class Killed(BaseException):
        """Like a kill: no callback can make up for it."""

    def kill(step):
        if step == killed_after:
            raise Killed

    fit.extra["fit"] = {"on_step": kill}
    with pytest.raises(Killed):
        fit(broken, tmp_path / "broken")
    resumed = toy()
    assert fit(resumed, tmp_path / "broken").equal(expected)
    assert resumed.drawn == whole.drawn[killed_after // 5 * 5 :]
    logs = [(tmp_path / name / "train.jsonl").read_text().splitlines() for name in ("whole", "broken")]
    whole_log, broken_log = ([{**json.loads(line), "seconds": 0} for line in log] for log in logs)
    assert broken_log == whole_log and len(whole_log) == 12


def test_nothing_but_its_own_files_and_no_noise(fit, toy, tmp_path, capsys, recwarn, monkeypatch):
    monkeypatch.chdir(tmp_path)
    fit(toy(), checkpoint_every=5)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["checkpoints", "last.ckpt", "train.jsonl"]
    printed = capsys.readouterr()
    assert printed.out == printed.err == "" and not recwarn.list
    state = torch.load(tmp_path / "checkpoints" / "last.ckpt", weights_only=True)
    assert list(state["state_dict"]) == ["network.learnt"] and state["global_step"] == 10


def test_progress_and_previews(fit, toy):
    steps, previews = [], []
    fit.extra["fit"] = {"on_step": steps.append, "preview": previews.append}
    fit(toy(), preview_every=5)
    assert steps == list(range(1, 13)) and previews == [5, 10]


def test_bad_numbers_leave_the_last_good_weights(fit, toy, tmp_path):
    reference = fit(toy(), tmp_path / "short", max_steps=7)
    with pytest.raises(FloatingPointError, match="loss reconstruction is nan at step 7"):
        fit(toy(poison_step=7))
    saved = torch.load((tmp_path / "last_good_weights.safetensors").open("rb"))
    assert saved["step"] == 7 and saved["learnt"].equal(reference)


def test_an_interrupt_stays_an_interrupt(fit, toy):
    def interrupt(step):
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    fit.extra["fit"] = {"on_step": interrupt}
    with pytest.raises(KeyboardInterrupt):
        fit(toy())
    assert signal.getsignal(signal.SIGINT) is handler


def test_no_steps_no_change(fit, toy, tmp_path):
    assert fit(toy(), max_steps=0).equal(toy().network["learnt"]) and not list(tmp_path.iterdir())


@pytest.mark.parametrize("settings", [{"max_steps": -1}, {"checkpoint_every": 0}, {"preview_every": -1}])
def test_refuses(settings):
    (name,) = settings
    with pytest.raises(InputError, match=rf"trainer\.{name}"):
        partial(Tuner, max_steps=3)(**settings)
