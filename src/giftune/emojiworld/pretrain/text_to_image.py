"""Train the U-Net of the embedded text-to-image model on latents, with a frozen text encoder."""

from collections.abc import Sequence

import numpy as np
import pytorch_lightning as pl
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from jaxtyping import Float, Int
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import Dataset
from transformers import CLIPTextModel, CLIPTokenizer

from giftune.emojiworld.captions import sample_caption
from giftune.emojiworld.pretrain.fit import warm_up_hold_decay
from giftune.emojiworld.pretrain.text_encoder import TEXT_WIDTH

CAPTION_DROPOUT = 0.1  # of the captions become empty, for classifier-free guidance
SNR_CAP = 5.0  # where there is hardly any noise, a velocity teaches little about the picture


def build_unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        sample_size=16,
        in_channels=4,
        out_channels=4,
        block_out_channels=(64, 128, 192),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        layers_per_block=1,
        attention_head_dim=(2, 4, 6),  # diffusers reads it as the number of heads: 32 channels each
        cross_attention_dim=TEXT_WIDTH,
        norm_num_groups=16,
    )


def build_scheduler() -> DDIMScheduler:
    """Stable Diffusion 2.1's schedule: scaled linear, velocity prediction."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )


class TextToImageTraining(pl.LightningModule):
    """Velocity prediction, weighted by w(t) = min(1, cap / SNR).

    Min-SNR weights (Hang et al. 2023) fade at high noise, where the caption decides what is drawn: with them
    the subject was still ignored after 1,200 steps.
    """

    alpha_bar: Tensor

    def __init__(self, text_encoder: CLIPTextModel, max_steps: int, learning_rate: float = 1e-3):
        super().__init__()
        self.text_encoder = text_encoder.eval().requires_grad_(False)
        self.model = build_unet()
        self.average = AveragedModel(self.model, multi_avg_fn=get_ema_multi_avg_fn(0.999))
        self.average.requires_grad_(False)
        self.scheduler = build_scheduler()
        self.register_buffer("alpha_bar", self.scheduler.alphas_cumprod.clone(), persistent=False)
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        latents, tokens = batch
        noise = torch.randn_like(latents)
        t = torch.randint(self.scheduler.config.num_train_timesteps, (len(latents),), device=self.device)
        noisy = self.scheduler.add_noise(latents, noise, t)
        target = self.scheduler.get_velocity(latents, noise, t)
        text = self.text_encoder(tokens).last_hidden_state
        output = self.model(noisy, t, text).sample.float()
        snr = self.alpha_bar[t] / (1 - self.alpha_bar[t])
        error = (output - target).square().mean(dim=(1, 2, 3))
        loss = ((SNR_CAP / snr).clamp(max=1) * error).mean()
        self.log_dict({"loss": loss, "velocity_error": error.mean()}, prog_bar=True)
        return loss

    def on_train_batch_end(self, outputs: object, batch: object, batch_idx: int) -> None:
        self.average.update_parameters(self.model)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.model.parameters(), self.learning_rate, self.max_steps, 1e-2)


class CaptionedLatents(Dataset):
    """(latents, token ids); a caption is drawn anew, and sometimes dropped, at every visit."""

    def __init__(
        self, latents: Float[Tensor, "n c h w"], labels: list[dict[str, str]], tokenizer: CLIPTokenizer
    ):
        self.latents, self.labels, self.tokenizer = latents, labels, tokenizer
        self.known: dict[str, Int[Tensor, " n"]] = {}

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "c h w"], Int[Tensor, " n"]]:
        rng = np.random.default_rng(int(torch.randint(2**31, ())))
        caption = "" if rng.uniform() < CAPTION_DROPOUT else sample_caption(**self.labels[index], rng=rng)
        return self.latents[index], self.tokens(caption)

    def tokens(self, caption: str) -> Int[Tensor, " n"]:
        if caption not in self.known:
            padded = self.tokenizer(caption, padding="max_length", truncation=True, return_tensors="pt")
            self.known[caption] = padded.input_ids[0]
        return self.known[caption]
