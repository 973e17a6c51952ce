import json
import resource
from csv import DictReader
from types import SimpleNamespace
from unittest.mock import create_autospec

import pytest
import pytorch_lightning as pl
import torch
from pytorch_lightning.loggers import CSVLogger, TensorBoardLogger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from giftune.training.callbacks import EveryStep, LastGood, PeriodicCheckpoint, StepLog
from giftune.training.module import TuningModule

WEIGHTS = {"reconstruction": 1.0, "temporal": 0.5}


def trainer(step, max_steps=10, saved=None, loggers=(), accumulate=1):
    stand_in = create_autospec(pl.Trainer, instance=True)
    stand_in.global_step, stand_in.max_steps = step, max_steps
    stand_in.loggers, stand_in.world_size, stand_in.accumulate_grad_batches = list(loggers), 1, accumulate
    stand_in.optimizers = [SimpleNamespace(param_groups=[{"lr": 0.25}])]
    stand_in.save_checkpoint = saved and saved.append
    return stand_in


@pytest.fixture
def module(toy, loss, make_optimizer):
    return TuningModule(toy(), loss, make_optimizer, 0)


def test_one_line_per_step(tmp_path, module):
    log = StepLog(tmp_path / "train.jsonl")
    log.on_train_start(trainer(0), module)
    for step in (1, 2):
        parts = {"reconstruction": 1.0 * step, "temporal": 4.0}
        outputs = {"loss": torch.tensor(step + 2.0), "parts": parts, "weights": WEIGHTS}
        log.on_train_batch_end(trainer(step), module, outputs, None, 0)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1]
    assert lines[1]["raw"] == {"reconstruction": 2.0, "temporal": 4.0}
    assert lines[1]["weighted"] == {"reconstruction": 2.0, "temporal": 2.0}
    assert lines[1]["loss"] == sum(lines[1]["weighted"].values()) and lines[1]["lr"] == 0.25


def test_a_line_is_the_mean_of_the_batches_of_a_step(tmp_path, module):
    log = StepLog(tmp_path / "train.jsonl")
    log.on_train_start(trainer(0), module)
    for number, value in enumerate((1.0, 3.0, 8.0, 5.0, 5.0, 5.0)):
        outputs = {"loss": torch.tensor(value / 3), "parts": {"next": value}, "weights": {"next": 1.0}}
        log.on_train_batch_end(trainer((number + 1) // 3, accumulate=3), module, outputs, None, number)
    lines = [json.loads(line) for line in (tmp_path / "train.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [0, 1]
    assert [line["raw"]["next"] for line in lines] == [pytest.approx(4.0), 5.0]
    assert [line["loss"] for line in lines] == pytest.approx([4.0, 5.0])


def test_nothing_happens_between_the_batches_of_a_step(tmp_path, module):
    saved, seen = [None], []
    checkpoint, every = PeriodicCheckpoint(tmp_path / "last.ckpt", every=2), EveryStep(seen.append)
    for number in range(8):
        now = trainer((number + 1) // 2, saved=saved, accumulate=2)
        checkpoint.on_train_batch_end(now, module, None, None, number)
        every.on_train_batch_end(now, module, None, None, number)
    assert len(saved[1:]) == 2 and seen == [1, 2, 3, 4]


def test_loggers_get_the_line_and_the_memory(tmp_path, module):
    csv, board = CSVLogger(str(tmp_path)), TensorBoardLogger(str(tmp_path), name="tb", version="")
    log = StepLog(tmp_path / "train.jsonl")
    log.on_train_start(trainer(0), module)
    parts = {"reconstruction": 1.0, "temporal": 4.0}
    outputs = {"loss": torch.tensor(3.0), "parts": parts, "weights": WEIGHTS}
    log.on_train_batch_end(trainer(1, loggers=[csv, board]), module, outputs, None, 0)
    csv.save()
    board.save()
    line = json.loads((tmp_path / "train.jsonl").read_text())
    with open(csv.experiment.metrics_file_path) as file:
        (row,) = DictReader(file)
    expected = {
        "loss/total": 3.0,
        "loss/reconstruction": 1.0,
        "loss/temporal": 4.0,
        "loss_weighted/reconstruction": 1.0,
        "loss_weighted/temporal": 2.0,
        "lr": 0.25,
        "step_seconds": line["seconds"],
        "step": 0.0,
    }
    memory = float(row.pop("memory/rss_mib"))
    assert {name: float(value) for name, value in row.items()} == expected
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    assert 0 < memory <= peak * 1.01
    events = EventAccumulator(board.log_dir).Reload()
    assert set(events.Tags()["scalars"]) == {*expected, "memory/rss_mib"} - {"step"}
    for name in row.keys() - {"step"}:
        assert events.Scalars(name)[0].value == pytest.approx(expected[name])


def test_resuming_forgets_what_came_after_the_checkpoint(tmp_path, module):
    path = tmp_path / "train.jsonl"
    path.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n{"st')
    StepLog(path).on_train_start(trainer(2), module)
    assert path.read_text() == '{"step": 0}\n{"step": 1}\n'


def test_checkpoints_come_now_and_then_but_not_at_the_end(tmp_path, module):
    saved = [None]
    callback = PeriodicCheckpoint(tmp_path / "last.ckpt", every=4)
    for step in range(1, 9):
        callback.on_train_batch_end(trainer(step, max_steps=8, saved=saved), module, None, None, 0)
    assert saved[1:] == [tmp_path / "last.ckpt"]


def test_every_step_and_every_third(module):
    seen, thirds = [], []
    for step in range(1, 8):
        EveryStep(seen.append).on_train_batch_end(trainer(step), module, None, None, 0)
        EveryStep(thirds.append, every=3).on_train_batch_end(trainer(step), module, None, None, 0)
    assert seen == list(range(1, 8)) and thirds == [3, 6]


def test_the_last_good_weights_are_for_bad_numbers_only(module):
    saved = []
    callback = LastGood(saved.append)
    callback.on_exception(trainer(5), module, KeyboardInterrupt())
    callback.on_exception(trainer(6), module, FloatingPointError())
    assert saved == [6]
