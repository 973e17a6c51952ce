import json
from unittest.mock import create_autospec

import pytorch_lightning as pl

from giftune.data.clip_source import Skip
from giftune.training.clip_batches import Batch
from giftune.training.skipped import SkippedClips, counted, read_skipped

MODULE = create_autospec(pl.LightningModule, instance=True)
MISSING, BROKEN, SHORT = (
    Skip("a.gif", "missing", "a is not there."),
    Skip("b.gif", "broken", "b is broken."),
    Skip("c.gif", "broken", "c is broken."),
)


def trainer(first=True):
    stand_in = create_autospec(pl.Trainer, instance=True)
    stand_in.is_global_zero = first
    return stand_in


def test_each_clip_has_one_line_whoever_met_it(tmp_path):
    path = tmp_path / "skipped.jsonl"
    for first, batches in ((True, [[BROKEN], [], [BROKEN, SHORT]]), (False, [[MISSING]])):
        callback = SkippedClips(path, [MISSING])
        callback.on_train_start(trainer(first), MODULE)
        for skipped in batches:
            callback.on_train_batch_start(trainer(first), MODULE, Batch(None, skipped), 0)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [Skip(**line) for line in lines] == [MISSING, BROKEN, SHORT] == read_skipped(path)


def test_nothing_skipped_no_file(tmp_path):
    callback = SkippedClips(tmp_path / "skipped.jsonl")
    callback.on_train_start(trainer(), MODULE)
    callback.on_train_batch_start(trainer(), MODULE, Batch(None), 0)
    assert not list(tmp_path.iterdir()) and read_skipped(tmp_path / "skipped.jsonl") == []


def test_half_a_line_and_repetitions_are_left_out(tmp_path):
    path = tmp_path / "skipped.jsonl"
    line = json.dumps(BROKEN._asdict())
    path.write_text(f'{line}\n{line}\n{{"clip": 3}}\n{line[:20]}')
    assert read_skipped(path) == [BROKEN]


def test_counted_by_kind():
    assert counted([BROKEN, MISSING, SHORT]) == "3 clips: 2 broken, 1 missing"
    assert counted([MISSING]) == "1 clip: 1 missing"
