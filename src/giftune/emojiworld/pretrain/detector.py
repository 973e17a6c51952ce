"""Train the detector on crowds, disturbed as for the oracle and wobbling, and say how good it is."""

from collections.abc import Iterable
from pathlib import Path

import pytorch_lightning as pl
import torch
from jaxtyping import Float, Int
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from giftune.emojiworld.detector import CELLS, SIDE, THRESHOLD, Detector, Maps, peaks
from giftune.emojiworld.group import VISIBLE
from giftune.emojiworld.pretrain.crowds import Crowds
from giftune.emojiworld.pretrain.fit import fit, warm_up_hold_decay
from giftune.emojiworld.pretrain.oracle import _disturb
from giftune.emojiworld.sprites import SUBJECTS

WIDTH = 0.8  # standard deviation of a centre's bump, in cells; narrow, so that cubs keep their own
NEAR = 6.0  # pixels within which a centre counts as found


class Targets(Dataset):
    """Pictures with the maps that a perfect detector would give; hidden subjects are not there."""

    def __init__(self, crowds: Crowds):
        self.pictures = crowds.pictures
        shown = (crowds.kinds >= 0) & (crowds.shares >= VISIBLE)
        self.kinds = torch.from_numpy(crowds.kinds).masked_fill(~torch.from_numpy(shown), -1)
        self.centres = torch.from_numpy(crowds.centres)
        self.order = torch.from_numpy(crowds.nearness).argsort(dim=1)  # the nearest last: it has the cell

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        picture = torch.from_numpy(self.pictures[index]).movedim(-1, 0).float() / 127.5 - 1
        order = self.order[index]
        heat, kind, offset = target_maps(self.kinds[index][order], self.centres[index][order])
        return {"picture": picture, "heat": heat, "kind": kind, "offset": offset}


def target_maps(
    kinds: Int[Tensor, " n"], centres: Float[Tensor, "n 2"]
) -> tuple[Float[Tensor, "h w"], Int[Tensor, "h w"], Float[Tensor, "2 h w"]]:
    """A bump at each centre's cell, 1 at its top, the higher one where two meet; kind -1 is none."""
    heat, kind = torch.zeros(CELLS, CELLS), torch.full((CELLS, CELLS), -1)
    offset = torch.zeros(2, CELLS, CELLS)
    grid = torch.arange(CELLS)
    for which, centre in zip(kinds.tolist(), centres, strict=True):
        if which < 0:
            continue
        column, row = (int(v) for v in (centre * CELLS).long().clamp(0, CELLS - 1))
        distance = (grid[None, :] - column) ** 2 + (grid[:, None] - row) ** 2
        heat = torch.maximum(heat, torch.exp(-distance / (2 * WIDTH**2)))
        kind[row, column] = which
        offset[:, row, column] = centre * CELLS - torch.tensor([column + 0.5, row + 0.5])
    return heat, kind, offset


def focal_loss(logits: Float[Tensor, "b h w"], heat: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    """Zhou et al. 2019, eq. 1 with their exponents 2 and 4, a mean over the centres."""
    at_centre = heat == 1
    yes, no = F.logsigmoid(logits), F.logsigmoid(-logits)
    found = logits.sigmoid()
    loss = torch.where(at_centre, (1 - found) ** 2 * yes, (1 - heat) ** 4 * found**2 * no)
    return -loss.sum() / at_centre.sum().clamp(min=1)


class DetectorTraining(pl.LightningModule):
    """Focal loss of the centres + at the centres: cross-entropy of the kind and L1 of the offset."""

    def __init__(self, max_steps: int, learning_rate: float = 3e-3):
        super().__init__()
        self.model = Detector()
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: dict[str, Tensor], batch_idx: int) -> Float[Tensor, ""]:
        maps = Maps(*(each.float() for each in self.model(_wobble(_disturb(batch["picture"])))))
        there = batch["kind"] >= 0
        losses = {"centre": focal_loss(maps.centre, batch["heat"])}
        if there.any():
            losses["kind"] = F.cross_entropy(maps.kind.movedim(1, -1)[there], batch["kind"][there])
            losses["offset"] = F.l1_loss(
                maps.offset.movedim(1, -1)[there], batch["offset"].movedim(1, -1)[there]
            )
        self.log_dict(losses, prog_bar=True)
        return torch.stack(list(losses.values())).sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.model.parameters(), self.learning_rate, self.max_steps, 0.05)


def _wobble(pictures: Float[Tensor, "b 3 h w"]) -> Float[Tensor, "b 3 h w"]:
    """Generated subjects are crooked, and are still one: move all of a picture smoothly by a pixel or two."""
    b = len(pictures)
    amount = 0.05 * torch.rand(b, 1, 1, 1) * torch.randn(b, 2, 5, 5)  # 1 is half of the side
    shift = F.interpolate(amount.to(pictures), pictures.shape[-2:], mode="bicubic")
    still = F.affine_grid(
        torch.eye(2, 3).expand(b, 2, 3).to(pictures), list(pictures.shape), align_corners=False
    )
    return F.grid_sample(pictures, still + shift.movedim(1, -1), padding_mode="border", align_corners=False)


def train_detector(work: Path, crowds: Crowds, steps: int, file: Path) -> None:
    """Train to `steps`, going on from what is in `work`, and ship it in half precision."""
    training = DetectorTraining(steps)
    fit(
        training,
        DataLoader(Targets(crowds), batch_size=64, shuffle=True, drop_last=True),
        steps,
        work / "detector",
    )
    half = {k: v.half() if v.is_floating_point() else v for k, v in training.model.state_dict().items()}
    save_file(half, file)


@torch.no_grad()
def detection_figures(
    detector: Detector, crowds: Crowds, threshold: float = THRESHOLD, batch_size: int = 100
) -> dict[str, float]:
    """Shares: of frames with the right count; of the found that are true, of the true that are found, both
    within `NEAR` pixels; of these, with the right kind.
    """
    counted = found = true = met = named = 0
    pictures = torch.from_numpy(crowds.pictures)
    detector.eval()
    maps = (detector(part.movedim(-1, 1).float() / 127.5 - 1) for part in pictures.split(batch_size))
    detected = [each for part in maps for each in peaks(part, threshold)]
    for i, each in enumerate(detected):
        shown = (crowds.kinds[i] >= 0) & (crowds.shares[i] >= VISIBLE)
        places = torch.tensor([[one.x, one.y] for one in each]).reshape(-1, 2)
        pairs = matched(places * SIDE, torch.from_numpy(crowds.centres[i][shown]) * SIDE)
        kinds = crowds.kinds[i][shown]
        counted += len(each) == int(shown.sum())
        found, true, met = found + len(each), true + int(shown.sum()), met + len(pairs)
        named += sum(each[a].kind == list(SUBJECTS)[kinds[b]] for a, b in pairs)
    return {
        "count": counted / len(detected),
        "precision": met / max(found, 1),
        "recall": met / max(true, 1),
        "kind": named / max(met, 1),
    }


def matched(found: Float[Tensor, "n 2"], true: Float[Tensor, "m 2"]) -> list[tuple[int, int]]:
    """Pairs within `NEAR`, the closest first, each in one pair at most."""
    distance = torch.cdist(found.double(), true.double())
    pairs: list[tuple[int, int]] = []
    near: Iterable[tuple[int, int]] = ((int(a), int(b)) for a, b in (distance <= NEAR).nonzero())
    for a, b in sorted(near, key=lambda pair: float(distance[pair])):
        if all(a != first and b != second for first, second in pairs):
            pairs.append((a, b))
    return pairs
