"""Train the oracle on rendered scenes of every pair, slightly blurred and shifted in colour."""

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from giftune.emojiworld.oracle import CLASSES, Oracle
from giftune.emojiworld.pretrain.fit import warm_up_hold_decay
from giftune.emojiworld.pretrain.scenes import Scenes

CENTRE_WEIGHT = 5.0


class OracleTraining(pl.LightningModule):
    """Cross-entropy of the three attributes + L1 of the subject's centre."""

    def __init__(self, max_steps: int, learning_rate: float = 3e-3):
        super().__init__()
        self.model = Oracle()
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Float[Tensor, ""]:
        logits, centres = self.model(_disturb(batch["picture"]))
        losses = {name: F.cross_entropy(logits[name].float(), batch[name]) for name in CLASSES}
        losses["centre"] = CENTRE_WEIGHT * F.l1_loss(centres.float(), batch["centre"])
        self.log_dict(losses, prog_bar=True)
        return torch.stack(list(losses.values())).sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.model.parameters(), self.learning_rate, self.max_steps, 0.05)


class LabelledPictures(Dataset):
    def __init__(self, scenes: Scenes):
        self.pictures, self.centres = scenes.pictures, torch.from_numpy(scenes.centres)
        self.classes: dict[str, Int[Tensor, " n"]] = {
            name: torch.from_numpy(scenes.classes(name)) for name in CLASSES
        }

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        picture = torch.from_numpy(self.pictures[index]).movedim(-1, 0).float() / 127.5 - 1
        targets = {name: classes[index] for name, classes in self.classes.items()}
        return {"picture": picture, "centre": self.centres[index], **targets}


def _disturb(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Generated frames are softer and noisier than rendered ones: blur some, shift colours a little."""
    b = len(pictures)
    blurred = F.avg_pool2d(F.pad(pictures, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    amount = (torch.rand(b, 1, 1, 1) - 0.6).clamp(min=0).to(pictures) / 0.4
    shift = 0.05 * torch.randn(b, 3, 1, 1).to(pictures)
    return torch.lerp(pictures, blurred, 0.7 * amount) + shift + 0.02 * torch.randn_like(pictures)
