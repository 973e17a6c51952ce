from pathlib import Path

import pytorch_lightning as pl
import torch
from torch.utils.data import DataLoader

from giftune.emojiworld.pretrain.fit import fit


class _Line(pl.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.seen = 0

    def training_step(self, batch: torch.Tensor, batch_idx: int) -> torch.Tensor:
        self.seen += 1
        return (self.weight * batch - 3 * batch).square().mean()

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_training_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    data = DataLoader(torch.ones(400, 1), batch_size=2)
    first = _Line()
    fit(first, data, 100, tmp_path, precision="32-true")
    assert first.seen == 100 and (tmp_path / "last.ckpt").exists()
    second = _Line()
    fit(second, data, 120, tmp_path, precision="32-true")
    assert second.seen == 20
    torch.testing.assert_close(second.weight.item(), 3.0, rtol=1e-3, atol=0)
