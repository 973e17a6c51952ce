import os

import pytorch_lightning as pl
from torch.utils.data import DataLoader

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
