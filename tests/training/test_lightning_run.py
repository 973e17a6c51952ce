import os
import signal
import subprocess
import sys
import textwrap

import pytorch_lightning as pl
from torch.utils.data import DataLoader

from giftune.cli._run import ROOT
from giftune.training.callbacks import EveryStep
from giftune.training.datamodule import ClipDataModule
from giftune.training.lightning_run import run
from giftune.training.module import TuningModule


def test_one_quiet_process_whatever_the_cluster_says(
    toy, loss, make_optimizer, tmp_path, monkeypatch, capsys
):
    for name, value in (("SLURM_NTASKS", "4"), ("SLURM_JOB_NAME", "job"), ("SLURM_PROCID", "1")):
        monkeypatch.setenv(name, value)
    method, steps = toy(), []
    module = TuningModule(method, loss, make_optimizer, 3)
    data = ClipDataModule(method.prepare(None, ""), 4)
    before = dict(os.environ)
    run(module, data, [EveryStep(steps.append)], tmp_path / "none.ckpt", max_steps=4)
    assert steps == [1, 2, 3, 4] and module.trainer.world_size == 1 and module.trainer.global_rank == 0
    assert "".join(capsys.readouterr()) == "" and not list(tmp_path.iterdir())
    assert os.environ.items() >= before.items()


def test_settings_reach_the_trainer(toy, loss, make_optimizer, tmp_path):
    method = toy()
    module = TuningModule(method, loss, make_optimizer, 3)
    data = ClipDataModule(method.prepare(None, ""), 2)
    run(module, data, [], tmp_path / "none.ckpt", max_steps=2, gradient_clip_val=0.25)
    assert isinstance(module.trainer, pl.Trainer) and isinstance(data.train_dataloader(), DataLoader)
    assert module.trainer.gradient_clip_val == 0.25 and module.trainer.max_steps == 2


def test_sigterm_ends_the_process_as_at_any_other_time(tmp_path):
    """In a process of its own; a sweep would go on to its next cell where this is taken for an error."""
    script = textwrap.dedent("""
        import functools, os, signal, sys
        from pathlib import Path

        import torch

        from giftune.data.clip_stream import ClipStream
        from giftune.training.clip_trainer import ClipTrainer
        from tests.training.toy_learner import ToyClips, ToyLearner

        def end(step):
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)

        trainer = ClipTrainer(max_steps=6, batch_size=2, checkpoint_every=2)
        make_optimizer = functools.partial(torch.optim.SGD, lr=0.1)
        try:
            stream = ClipStream(ToyClips(), 3)
            trainer.fit(ToyLearner(), stream, make_optimizer, Path(sys.argv[1]), on_step=end)
        except SystemExit:
            print("went on")
    """)
    ended = subprocess.run([sys.executable, "-c", script, tmp_path], cwd=ROOT, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (-signal.SIGTERM, ""), ended.stderr
    assert (tmp_path / "checkpoints" / "last.ckpt").exists()
