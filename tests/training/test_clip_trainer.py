import json
from functools import partial

import pytest
import torch
from safetensors.torch import load_file
from torch.nn.utils import clip_grad_norm_

from giftune.data.clip_source import Skip
from giftune.data.clip_stream import ClipStream
from giftune.data.seeded import seeded
from giftune.errors import InputError
from giftune.training.clip_trainer import ClipTrainer
from giftune.training.module import step_generator
from tests.training.processes import run_together
from tests.training.toy_learner import ToyClips, ToyLearner

SEED = 3


class Killed(BaseException):
    """Like a kill: no callback can make up for it."""


@pytest.fixture
def fit(make_optimizer, tmp_path):
    def fit(learner, folder=tmp_path / "run", clips=None, on_step=None, preview=None, **settings):
        stream = ClipStream(clips or ToyClips(), SEED)
        settings = {"max_steps": 12, "batch_size": 2, "checkpoint_every": 5, **settings}
        ClipTrainer(**settings).fit(learner, stream, make_optimizer, folder, on_step=on_step, preview=preview)
        return learner.network["head"]

    return fit


def log(folder):
    lines = (folder / "train.jsonl").read_text().splitlines()
    return [{**json.loads(line), "seconds": 0} for line in lines]


@pytest.mark.parametrize(("accumulate", "warmup_steps"), [(1, 0), (3, 5)])
def test_the_same_as_a_plain_loop(fit, make_optimizer, tmp_path, accumulate, warmup_steps):
    trained = fit(ToyLearner(noise=0.1), accumulate=accumulate, warmup_steps=warmup_steps)
    plain, stream = ToyLearner(noise=0.1), ClipStream(ToyClips(), SEED)
    head = plain.network["head"]
    optimizer = make_optimizer([head.scale])
    for step in range(12):
        optimizer.zero_grad()
        found = []
        for part in range(accumulate):
            number = step * accumulate + part
            examples = [stream[2 * number], stream[2 * number + 1]]
            batch = plain.collate(examples, seeded(SEED, "collate", number, 0))
            parts = plain.losses(batch, step_generator(SEED, step, 0, part))
            ((parts["next"][0] + 0.1 * parts["size"][0]) / accumulate).backward()
            found.append({name: value.item() for name, (value, _) in parts.items()})
        clip_grad_norm_([head.scale], 1.0)
        rate = 0.01 * min(1, (step + 1) / 5) if warmup_steps else 0.01
        optimizer.param_groups[0]["lr"] = rate
        optimizer.step()
    assert trained.scale.equal(head.scale) and trained.seen.equal(head.seen)
    lines = log(tmp_path / "run")
    last, raw = lines[-1], {name: sum(one[name] for one in found) / accumulate for name in found[0]}
    assert len(lines) == 12 and last["step"] == 11
    assert last["raw"] == {name: pytest.approx(value) for name, value in raw.items()}
    assert last["loss"] == pytest.approx(raw["next"] + 0.1 * raw["size"])
    assert last["weighted"]["size"] == pytest.approx(0.1 * raw["size"])
    assert last["lr"] == 0.01 and lines[0]["lr"] == pytest.approx(0.002 if warmup_steps else 0.01)


def test_accumulating_is_a_larger_batch(fit, tmp_path):
    at_once = fit(ToyLearner(), tmp_path / "at_once", batch_size=6)
    in_parts = fit(ToyLearner(), tmp_path / "in_parts", batch_size=2, accumulate=3)
    torch.testing.assert_close(in_parts.scale, at_once.scale)
    losses = [[line["loss"] for line in log(tmp_path / name)] for name in ("at_once", "in_parts")]
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)


@pytest.mark.parametrize(("average", "accumulate", "warmup_steps"), [(None, 1, 0), (0.9, 1, 9), (0.9, 3, 9)])
@pytest.mark.parametrize("killed_after", [4, 8])
def test_resuming_ends_with_the_same_bits(fit, tmp_path, killed_after, average, accumulate, warmup_steps):
    settings = {"average": average, "accumulate": accumulate, "warmup_steps": warmup_steps}
    whole = ToyLearner(noise=0.1)
    expected = fit(whole, tmp_path / "whole", **settings)
    if average:
        assert not expected.scale.equal(fit(ToyLearner(noise=0.1), tmp_path / "plain").scale)

    def kill(step):
        if step == killed_after:
            raise Killed

    with pytest.raises(Killed):
        fit(ToyLearner(noise=0.1), tmp_path / "broken", on_step=kill, **settings)
    resumed, clips = ToyLearner(noise=0.1), ToyClips()
    found = fit(resumed, tmp_path / "broken", clips, **settings)
    assert found.scale.equal(expected.scale) and found.seen.equal(expected.seen)
    kept = killed_after // 5 * 5 * accumulate  # in the middle of an epoch of five batches
    assert resumed.seen == whole.seen[kept:]
    assert len(clips.read_numbers) == 2 * len(resumed.seen)  # nothing is read for the steps that are done
    assert log(tmp_path / "broken") == log(tmp_path / "whole")


def test_readers_ahead_change_nothing(fit, tmp_path):
    clips = ToyClips(bad={1, 4})
    between = fit(ToyLearner(noise=0.1), tmp_path / "between", clips)
    ahead = fit(ToyLearner(noise=0.1), tmp_path / "ahead", ToyClips(bad={1, 4}), workers=2)
    assert ahead.scale.equal(between.scale)
    assert log(tmp_path / "ahead") == log(tmp_path / "between")
    lists = [(tmp_path / name / "skipped.jsonl").read_text() for name in ("between", "ahead")]
    assert sorted(lists[0].splitlines()) == sorted(lists[1].splitlines())


def test_useless_clips_are_listed_once_and_never_fatal(fit, tmp_path):
    left_out = [Skip("clip-x", "missing", "clip-x does not exist.")]
    learner, clips = ToyLearner(), ToyClips(count=6, bad={0, 2}, left_out=left_out)

    def kill(step):
        if step == 7:
            raise Killed

    with pytest.raises(Killed):
        fit(learner, clips=clips, on_step=kill)
    assert max(map(clips.read_numbers.count, (0, 2))) == 1
    fit(ToyLearner(), clips=ToyClips(count=6, bad={0, 2}, left_out=left_out))
    lines = [json.loads(line) for line in (tmp_path / "run" / "skipped.jsonl").read_text().splitlines()]
    assert sorted(line["clip"] for line in lines) == ["clip-0", "clip-2", "clip-x"]
    assert {line["clip"]: line["kind"] for line in lines}["clip-2"] == "broken"


@pytest.mark.parametrize("workers", [0, 1])
def test_nothing_usable_is_one_sentence(fit, workers):
    with pytest.raises(InputError, match=r"^none of the 3 clips can be used; the first: clip-\d is "):
        fit(ToyLearner(), clips=ToyClips(count=3, bad=range(3)), workers=workers)


def test_bad_numbers_leave_the_last_good_weights(fit, tmp_path):
    reference = fit(ToyLearner(), tmp_path / "short", max_steps=7)
    with pytest.raises(FloatingPointError, match="loss next is nan at step 7"):
        fit(ToyLearner(poison_step=7))
    saved = load_file(tmp_path / "run" / "last_good_weights.safetensors")
    assert saved["scale"].equal(reference.scale)


def test_another_batch_size_is_no_continuation(fit):
    def kill(step):
        if step == 7:
            raise Killed

    with pytest.raises(Killed):
        fit(ToyLearner(), on_step=kill)
    with pytest.raises(InputError, match="the checkpoint's batch_size is 2, here it is 3"):
        fit(ToyLearner(), batch_size=3)


def test_progress_previews_and_nothing_else(fit, tmp_path, capsys, recwarn):
    steps, previews = [], []
    fit(ToyLearner(), on_step=steps.append, preview=previews.append, preview_every=5)
    assert steps == list(range(1, 13)) and previews == [5, 10]
    names = sorted(path.name for path in (tmp_path / "run").rglob("*"))
    assert names == ["checkpoints", "last.ckpt", "train.jsonl"]
    printed = capsys.readouterr()
    assert printed.out == printed.err == "" and not recwarn.list


@pytest.mark.parametrize(
    "name",
    ["max_steps", "batch_size", "checkpoint_every", "preview_every", "workers", "accumulate", "warmup_steps"],
)
def test_refuses(name):
    with pytest.raises(InputError, match=rf"trainer\.{name} is -1"):
        partial(ClipTrainer, max_steps=3)(**{name: -1})


@pytest.mark.slow
def test_two_ranks_are_one_with_twice_the_batch(fit, tmp_path):
    """Killed after a checkpoint and resumed, with clips that cannot be used, in batches of one."""
    for finished in (False, True):
        statuses = run_together("tests.training.two_ranks_on_clips", tmp_path / "both")
        assert [status == 0 for status in statuses] == [finished] * 2
    alone = fit(ToyLearner(), tmp_path / "alone", ToyClips(bad={2, 7}), batch_size=4, warmup_steps=7)
    both = [torch.load(tmp_path / f"both-{rank}.pt") for rank in (0, 1)]
    assert both[0]["scale"].equal(both[1]["scale"])
    torch.testing.assert_close(both[0]["scale"], alone.scale.detach())
    expected = [line["loss"] for line in log(tmp_path / "alone")]
    assert [line["loss"] for line in log(tmp_path / "both")] == pytest.approx(expected, rel=1e-5)
    skipped = (tmp_path / "both" / "skipped.jsonl").read_text()
    assert "clip-2" in skipped and "clip-7" in skipped
