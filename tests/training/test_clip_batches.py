from unittest.mock import create_autospec

import pytest
import pytorch_lightning as pl
import torch

from giftune.data.clip_stream import ClipStream
from giftune.errors import InputError
from giftune.training.clip_batches import Batches, ClipBatches, Remaining
from tests.training.toy_learner import ToyClips, ToyLearner


def batches(clips=None, rank=0, ranks=1, **settings):
    stream = ClipStream(clips or ToyClips(), 3, rank, ranks)
    return Batches(ToyLearner(noise=0.5), stream, **{"batch_size": 2, "count": 6, **settings})


def test_a_batch_is_a_function_of_its_number():
    whole, again = batches(), batches()
    for step in (5, 0, 3):
        assert again[step].inputs[0].equal(whole[step].inputs[0])
    values = {whole[step].inputs[0].sum().item() for step in range(6)}
    assert len(values) == 6
    other = batches(rank=1, ranks=2)[0].inputs[0]
    assert other.shape == (2, 3, 3, 4, 4) and other.sum().item() not in values


def test_useless_clips_are_told_once():
    found = batches(ToyClips(count=6, bad={1, 3}))
    told = [skip.clip for step in range(6) for skip in found[step].skipped]
    assert sorted(told) == ["clip-1", "clip-3"]


def test_errors_come_out_when_a_batch_is_opened():
    batch = batches(ToyClips(count=2, bad={0, 1}))[0]
    assert {skip.clip for skip in batch.skipped} == {"clip-0", "clip-1"}
    with pytest.raises(InputError, match="none of the 2 clips"):
        batch.opened()
    assert batches()[0].opened()[0].shape == (2, 3, 3, 4, 4)


def test_the_steps_that_remain():
    assert list(Remaining(4, 7)) == [4, 5, 6] and len(Remaining(4, 7)) == 7


@pytest.mark.parametrize("workers", [0, 2])
def test_the_loader_begins_where_the_checkpoint_says(workers):
    data = ClipBatches(ToyLearner(), ClipStream(ToyClips(), 3), 2, 6, workers)
    whole = [batch.inputs[0] for batch in data.train_dataloader()]
    data.load_state_dict({"taken": 8, "batch_size": 2, "ranks": 1, "stream_seed": 3})
    rest = [batch.inputs[0] for batch in data.train_dataloader()]
    assert len(whole) == 6 and len(rest) == 2
    assert all(torch.equal(*pair) for pair in zip(rest, whole[4:], strict=True))


def test_several_batches_for_each_step():
    data = ClipBatches(ToyLearner(), ClipStream(ToyClips(), 3), 2, 3, 0, accumulate=2)
    data.trainer = create_autospec(pl.Trainer, instance=True, global_step=2)
    assert data.state_dict() == {
        "taken": 8, "batch_size": 2, "accumulate": 2, "ranks": 1, "stream_seed": 3
    }  # fmt: skip
    assert len(list(data.train_dataloader())) == 6
    data.load_state_dict(data.state_dict())
    assert len(list(data.train_dataloader())) == 2
    with pytest.raises(InputError, match="the checkpoint's accumulate is 3, here it is 2"):
        data.load_state_dict({**data.state_dict(), "accumulate": 3})


def test_refuses_a_checkpoint_of_other_shares():
    data = ClipBatches(ToyLearner(), ClipStream(ToyClips(), 3, 0, 2), 2, 6, 0)
    with pytest.raises(InputError, match="the checkpoint's ranks is 1, here it is 2"):
        data.load_state_dict({"taken": 8, "batch_size": 2, "ranks": 1, "stream_seed": 3})
