import torch

from giftune.training.datamodule import ClipDataModule


def test_the_very_same_batch_for_every_step():
    batch = (torch.zeros(1), torch.ones(2))
    loader = ClipDataModule(batch, 5).train_dataloader()
    assert len(loader) == 5 and all(repeated is batch for repeated in loader)
