"""Train the embedded autoencoder, an ordinary `AutoencoderKL`."""

import pytorch_lightning as pl
import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.utils.data import Dataset

from giftune.emojiworld.pretrain.fit import warm_up_hold_decay
from giftune.emojiworld.pretrain.scenes import Scenes

KL_WEIGHT = 1e-6  # as Stable Diffusion's: keeps the latents bounded, hardly more


def build_autoencoder() -> AutoencoderKL:
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 3,
        up_block_types=("UpDecoderBlock2D",) * 3,
        block_out_channels=(24, 48, 64),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=8,
        mid_block_add_attention=False,
        sample_size=64,
    )


class AutoencoderTraining(pl.LightningModule):
    """L1 + 5 x MSE + L1 of the spatial gradients + a little KL; the decoder sees a posterior sample.

    `decoder_only` leaves the latents as they are, so that it can follow a text-to-image training on them.
    The first `crop_share` of the steps sees `crop`-pixel crops, four times as many for the same work.
    """

    def __init__(
        self,
        max_steps: int,
        learning_rate: float = 2e-3,
        crop: int = 32,
        crop_share: float = 0.7,
        decoder_only: bool = False,
    ):
        super().__init__()
        self.model = build_autoencoder()
        self.max_steps, self.learning_rate = max_steps, learning_rate
        self.crop, self.crop_share = crop, crop_share
        self.decoder_only = decoder_only
        if decoder_only:
            self.model.encoder.requires_grad_(False)
            self.model.quant_conv.requires_grad_(False)

    def training_step(self, batch: Float[Tensor, "b 3 h w"], batch_idx: int) -> Float[Tensor, ""]:
        if self.global_step < self.crop_share * self.max_steps:
            batch = _crops(batch, self.crop)
        else:
            batch = batch[: max(1, len(batch) * self.crop**2 // (batch.shape[-1] * batch.shape[-2]))]
        posterior = self.model.encode(batch).latent_dist
        output = self.model.decode(posterior.sample()).sample.float()
        error = output - batch
        mse = error.square().mean()
        loss = error.abs().mean() + 5 * mse + _gradient_error(error) + KL_WEIGHT * posterior.kl().mean()
        self.log_dict({"loss": loss, "psnr": 10 * torch.log10(4 / mse)}, prog_bar=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        trained = [p for p in self.model.parameters() if p.requires_grad]
        return warm_up_hold_decay(trained, self.learning_rate, self.max_steps, 1e-4)


class Pictures(Dataset):
    """Pictures in [-1, 1]."""

    def __init__(self, scenes: Scenes):
        self.pictures = scenes.pictures

    def __len__(self) -> int:
        return len(self.pictures)

    def __getitem__(self, index: int) -> Float[Tensor, "3 h w"]:
        return torch.from_numpy(self.pictures[index]).movedim(-1, 0).float() / 127.5 - 1


def _crops(batch: Float[Tensor, "b 3 h w"], size: int, grid: int = 4) -> Float[Tensor, "b 3 size size"]:
    """Random crops on the latent grid, so that pixel art stays aligned with it."""
    choices = (batch.shape[-1] - size) // grid + 1
    corners = torch.randint(choices, (len(batch), 2)) * grid
    return torch.stack(
        [x[:, i : i + size, j : j + size] for x, (i, j) in zip(batch, corners.tolist(), strict=True)]
    )


def _gradient_error(error: Float[Tensor, "b c h w"]) -> Float[Tensor, ""]:
    return error.diff(dim=-1).abs().mean() + error.diff(dim=-2).abs().mean()
