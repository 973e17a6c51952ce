"""Train the embedded depth network, an ordinary `DPTForDepthEstimation`, on exact inverse depth."""

from collections.abc import Callable
from multiprocessing import Pool
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
from jaxtyping import Float, UInt8
from numpy import ndarray
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset
from transformers import DPTConfig, DPTForDepthEstimation, DPTImageProcessor

from giftune.emojiworld.pretrain.fit import fit, warm_up_hold_decay
from giftune.emojiworld.pretrain.oracle import _disturb
from giftune.emojiworld.pretrain.scenes import Scenes, _draw_chunk, load_scenes
from giftune.emojiworld.scene import render

SCALES = 4
GRADIENT_WEIGHT = 0.5
PLAIN_WEIGHT = 0.2  # of the error in the world's own units, which are of use in pictures


def build_depth_network(size: int = 64) -> DPTForDepthEstimation:
    """Patches of 8 x 8; the four maps of the neck have 16, 8, 4 and 2 of 64 pixels."""
    config = DPTConfig(
        image_size=size,
        patch_size=8,
        hidden_size=160,
        num_hidden_layers=6,
        num_attention_heads=5,
        intermediate_size=640,
        backbone_out_indices=[1, 2, 4, 5],
        readout_type="ignore",
        reassemble_factors=[2, 1, 0.5, 0.25],
        neck_hidden_sizes=[48, 64, 96, 128],
        fusion_hidden_size=48,
        use_auxiliary_head=False,
    )
    network = DPTForDepthEstimation(config)
    for module in network.modules():  # the library's 0.02 is for wide networks: here nothing would arrive
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    nn.init.trunc_normal_(network.dpt.embeddings.position_embeddings, std=0.02)
    nn.init.normal_(network.head.head[-2].weight, std=0.05)
    nn.init.constant_(network.head.head[-2].bias, 0.4)  # alive behind the last ReLU
    return network


class DepthTraining(pl.LightningModule):
    """The robust scale-and-shift invariant error + gradients (Ranftl et al. 2020, eq. 6, 7, 11)."""

    def __init__(self, max_steps: int, learning_rate: float = 1e-3, size: int = 64):
        super().__init__()
        self.model = build_depth_network(size)
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: list[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        pictures, truth = batch
        predicted = self.model(pixel_values=_disturb(pictures)).predicted_depth.float()
        residual = normalise(predicted) - normalise(truth)
        losses = {
            "invariant": residual.abs().mean(),
            "gradient": GRADIENT_WEIGHT * _gradients(residual),
            "plain": PLAIN_WEIGHT * (predicted - truth).abs().mean(),
        }
        self.log_dict(losses, prog_bar=True)
        return torch.stack(list(losses.values())).sum()

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.model.parameters(), self.learning_rate, self.max_steps, 0.05)


class DepthPictures(Dataset):
    """(picture in [-1, 1], inverse depth in [0, 1])."""

    def __init__(self, scenes: Scenes, depths: UInt8[ndarray, "n h w"]):
        self.pictures, self.depths = scenes.pictures, depths

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "3 h w"], Float[Tensor, "h w"]]:
        picture = torch.from_numpy(self.pictures[index]).movedim(-1, 0).float() / 127.5 - 1
        return picture, torch.from_numpy(self.depths[index]).float() / 255


def normalise(depth: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """Median 0 and mean absolute deviation 1 (eq. 6)."""
    centred = depth - depth.flatten(1).median(dim=1).values[:, None, None]
    return centred / centred.abs().mean(dim=(1, 2), keepdim=True).clamp(min=1e-3)


def _gradients(residual: Float[Tensor, "b h w"]) -> Float[Tensor, ""]:
    total = residual.new_zeros(())
    for k in range(SCALES):
        r = residual[:, :: 2**k, :: 2**k]
        total = total + r.diff(dim=1).abs().mean() + r.diff(dim=2).abs().mean()
    return total


def load_depths(count: int, seed: int, size: int, cache: Path, workers: int = 2) -> UInt8[ndarray, "n h w"]:
    """The inverse depth of what `load_scenes` with the same arguments draws, 255 nearest, kept in `cache`."""
    pictures = load_scenes(count, seed, size, cache, workers).pictures
    file = cache / f"depths-{count}-{seed}-{size}.npy"
    if not file.exists():
        chunk = len(_draw_chunk(seed))
        chunks = [(number, size) for number in range(seed, seed + count // chunk)]
        with Pool(workers) as pool:
            np.save(file, np.concatenate(pool.starmap(_render_depths, chunks)))
    depths = np.load(file)
    assert len(depths) == len(pictures)
    return depths


def _render_depths(seed: int, size: int) -> UInt8[ndarray, "n h w"]:
    depths = [render(scene, scene.pose(phase), size).depth for scene, phase in _draw_chunk(seed)]
    return (np.stack(depths) * 255).round().astype(np.uint8)


def train_depth(
    work: Path,
    scenes: Scenes,
    depths: UInt8[ndarray, "n h w"],
    steps: int,
    folder: Path,
    batch_size: int = 32,
) -> None:
    """Train in `work`/depth, going on from its checkpoint, and save half precision to `folder`."""
    size = scenes.pictures.shape[1]
    training = DepthTraining(steps, size=size)
    data = DataLoader(DepthPictures(scenes, depths), batch_size=batch_size, shuffle=True, drop_last=True)
    fit(training, data, steps, work / "depth")
    training.model.to(torch.float16).save_pretrained(folder)
    half = [0.5] * 3
    DPTImageProcessor(size={"height": size, "width": size}, image_mean=half, image_std=half).save_pretrained(
        folder
    )


@torch.no_grad()
def depth_error(
    model: Callable[[Tensor], Tensor], scenes: Scenes, depths: UInt8[ndarray, "n h w"], batch_size: int = 50
) -> dict[str, float]:
    """After aligning scale and shift to each picture: mean absolute error, and share of variance explained.

    `model` maps frames in [-1, 1] to inverse depth, as `giftune.metrics.features.load_depth` gives it.
    """
    errors, explained = [], []
    for pictures, truth in DataLoader(DepthPictures(scenes, depths), batch_size=batch_size):
        for predicted, true in zip(model(pictures).double().numpy(), truth.double().numpy(), strict=True):
            columns = np.stack([predicted.ravel(), np.ones(predicted.size)], axis=1)
            residual = true.ravel() - columns @ np.linalg.lstsq(columns, true.ravel(), rcond=None)[0]
            errors.append(np.abs(residual).mean())
            explained.append(1 - residual.var() / true.var())
    return {"mean_absolute_error": float(np.mean(errors)), "variance_explained": float(np.mean(explained))}
