import json

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from giftune.training.module import step_generator
from giftune.training.ranks import Ranks, here
from tests.training.processes import run_together


def test_alone():
    assert here() == Ranks(0, 1) and here().first
    here().tell("nobody listens")
    here().wait()


@pytest.fixture(scope="module")
def together(tmp_path_factory):
    """What two processes on the CPU leave behind."""
    folder = tmp_path_factory.mktemp("ranks")
    assert run_together("tests.training.two_ranks", folder / "run") == [0, 0]
    return folder


@pytest.mark.slow
def test_two_ranks_have_the_gradients_of_a_batch_of_two(together, toy, loss, make_optimizer):
    found = [torch.load(together / f"{rank}.pt") for rank in (0, 1)]
    plain = toy()
    optimizer = make_optimizer([plain.network["learnt"]])
    for step in range(6):
        optimizer.zero_grad()
        draws = [plain.step(plain.prepare(None, ""), step_generator(3, step, rank)) for rank in (0, 1)]
        (sum(loss(draw)[0] for draw in draws) / 2).backward()
        clip_grad_norm_([plain.network["learnt"]], 1.0)
        optimizer.step()
        for rank in (0, 1):
            torch.testing.assert_close(found[rank]["grads"][step], plain.network["learnt"].grad)
    assert found[0]["learnt"].equal(found[1]["learnt"])
    torch.testing.assert_close(found[0]["learnt"], plain.network["learnt"].detach())
    alone = toy()
    loss(alone.step(alone.prepare(None, ""), step_generator(3, 0)))[0].backward()
    assert not found[0]["grads"][0].allclose(alone.network["learnt"].grad, rtol=1e-2)


@pytest.mark.slow
def test_the_log_has_one_line_per_step_with_the_mean_loss(together, toy, loss):
    lines = [json.loads(line) for line in (together / "run" / "train.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(6))
    method = toy()
    values = [loss(method.step(method.prepare(None, ""), step_generator(3, 0, rank))) for rank in (0, 1)]
    assert lines[0]["loss"] == pytest.approx(sum(total.item() for total, _ in values) / 2)
    temporal = sum(parts["temporal"].item() for _, parts in values) / 2
    assert lines[0]["raw"]["temporal"] == pytest.approx(temporal)
    assert lines[0]["weighted"]["temporal"] == pytest.approx(temporal / 2)
    assert sorted(path.name for path in (together / "run").iterdir()) == ["checkpoints", "train.jsonl"]
