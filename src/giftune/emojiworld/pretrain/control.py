"""Train the embedded ControlNet (Zhang et al. 2023) on exact inverse depth, the text-to-image model frozen.

An ordinary `ControlNetModel`, but without attention: with it the copy of the encoder would be twice as large.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import pytorch_lightning as pl
import torch
from diffusers import (
    ControlNetModel,
    StableDiffusionControlNetPipeline,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from einops import rearrange, repeat
from jaxtyping import Float, UInt8
from numpy import ndarray
from pytorch_lightning.utilities.types import OptimizerLRSchedulerConfig
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from giftune.emojiworld.captions import caption
from giftune.emojiworld.oracle import Oracle
from giftune.emojiworld.pretrain.autoencoder import Pictures
from giftune.emojiworld.pretrain.depth import depth_error
from giftune.emojiworld.pretrain.evaluate import oracle_accuracy
from giftune.emojiworld.pretrain.fit import warm_up_hold_decay
from giftune.emojiworld.pretrain.scenes import Scenes
from giftune.emojiworld.pretrain.text_to_image import CaptionedLatents

ALIKE = ("in_channels", "block_out_channels", "layers_per_block", "norm_num_groups", "cross_attention_dim")
EMBEDDING = (16, 32, 64)  # two halvings: latents are a quarter as wide as pictures


def build_controlnet(unet: UNet2DConditionModel) -> ControlNetModel:
    """With the U-Net's weights wherever both have a layer, and outputs that are zero at first."""
    controlnet = ControlNetModel(
        **{name: unet.config[name] for name in ALIKE},
        down_block_types=("DownBlock2D",) * len(unet.config.block_out_channels),
        mid_block_type="UNetMidBlock2D",
        conditioning_embedding_out_channels=EMBEDDING,
    )
    own, weights = controlnet.state_dict(), unet.state_dict()
    controlnet.load_state_dict({name: weights.get(name, value) for name, value in own.items()})
    return controlnet


class ControlTraining(pl.LightningModule):
    """The squared error of the velocity, over all timesteps alike."""

    def __init__(self, pipeline: StableDiffusionPipeline, max_steps: int, learning_rate: float = 5e-4):
        super().__init__()
        self.unet = pipeline.unet.eval().requires_grad_(False)
        self.text_encoder = pipeline.text_encoder.eval().requires_grad_(False)
        self.scheduler = pipeline.scheduler
        self.model = build_controlnet(pipeline.unet)
        self.max_steps, self.learning_rate = max_steps, learning_rate

    def training_step(self, batch: Sequence[Tensor], batch_idx: int) -> Float[Tensor, ""]:
        latents, tokens, depths = batch
        noise = torch.randn_like(latents)
        t = torch.randint(self.scheduler.config.num_train_timesteps, (len(latents),), device=self.device)
        noisy = self.scheduler.add_noise(latents, noise, t)
        text = self.text_encoder(tokens).last_hidden_state
        down, mid = self.model(noisy, t, text, as_picture(disturb(depths)), return_dict=False)
        output = self.unet(
            noisy, t, text, down_block_additional_residuals=down, mid_block_additional_residual=mid
        ).sample
        loss = F.mse_loss(output.float(), self.scheduler.get_velocity(latents, noise, t))
        self.log("loss", loss, prog_bar=True)
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        return warm_up_hold_decay(self.model.parameters(), self.learning_rate, self.max_steps, 1e-2)


class DepthCaptionedLatents(Dataset):
    """(latents, token ids, inverse depth in [0, 1])."""

    def __init__(self, latents: CaptionedLatents, depths: UInt8[ndarray, "n h w"]):
        self.latents, self.depths = latents, depths

    def __len__(self) -> int:
        return len(self.latents)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Float[Tensor, "h w"]]:
        return *self.latents[index], normalised(torch.from_numpy(self.depths[index])[None])[0]


def normalised(depths: UInt8[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """0 the farthest and 1 the nearest of each picture, as lllyasviel/sd-controlnet-depth reads them."""
    flat = depths.flatten(1).float()
    lowest, highest = flat.amin(dim=1), flat.amax(dim=1)
    scaled = (flat - lowest[:, None]) / (highest - lowest)[:, None].clamp(min=1)
    return scaled.view(depths.shape)


def as_picture(depths: Float[Tensor, "b h w"]) -> Float[Tensor, "b 3 h w"]:
    return repeat(depths, "b h w -> b 3 h w")


def disturb(depths: Float[Tensor, "b h w"]) -> Float[Tensor, "b h w"]:
    """As a network estimates them: softer, noisier, and a frame does not fill the range of its clip."""
    b = len(depths)
    maps = rearrange(depths, "b h w -> b 1 h w")
    blurred = F.avg_pool2d(F.pad(maps, (2, 2, 2, 2), mode="replicate"), 5, stride=1)
    amount = (torch.rand(b, 1, 1, 1) - 0.3).clamp(min=0).to(maps) / 0.7
    scale = 1 - 0.2 * torch.rand(b, 1, 1, 1).to(maps) ** 2
    shift = (1 - scale) * torch.rand(b, 1, 1, 1).to(maps)
    noise = 0.03 * torch.rand(b, 1, 1, 1).to(maps) * torch.randn_like(maps)
    return (torch.lerp(maps, blurred, amount) * scale + shift + noise).clamp(0, 1)[:, 0]


def export_controlnet(controlnet: ControlNetModel, folder: Path) -> None:
    """A diffusers folder; kernels of 3 x 3 are stored in eight bits, which keeps it under 3 MB."""
    controlnet.save_config(folder)
    tensors = {
        name: value.detach().to(torch.float8_e4m3fn if value.shape[2:] == (3, 3) else torch.float16)
        for name, value in controlnet.state_dict().items()
    }
    save_file(tensors, folder / "diffusion_pytorch_model.safetensors", {"format": "pt"})


@torch.no_grad()
def control_figures(
    pipeline: StableDiffusionPipeline,
    controlnet: ControlNetModel,
    oracle: Oracle,
    depth: Callable[[Tensor], Tensor],
    scenes: Scenes,
    depths: UInt8[ndarray, "n h w"],
    steps: int,
    guidance: float,
    seed: int,
) -> tuple[dict[str, dict[str, float]], dict[str, Float[Tensor, "n 3 h w"]]]:
    """Scenes drawn again from caption and depth: the depth's error, what the oracle sees, and all pictures.

    Once with the ControlNet and once without it, from the same noise, after what was asked.
    """
    controlled = StableDiffusionControlNetPipeline(
        **pipeline.components, controlnet=controlnet, requires_safety_checker=False
    )
    controlled.set_progress_bar_config(disable=True)
    asked = as_picture(normalised(torch.from_numpy(depths)))
    figures = {}
    drawn = {"scenes": torch.stack([Pictures(scenes)[i] for i in range(len(asked))]), "depths": asked * 2 - 1}
    for name, scale in (("with", 1.0), ("without", 0.0)):
        pictures = []
        for start in range(0, len(depths), 50):
            labels = scenes.labels[: len(depths)][start : start + 50]
            output = controlled(
                [caption(**{k: label[k] for k in ("subject", "background", "style")}) for label in labels],
                image=asked[start : start + 50],
                num_inference_steps=steps,
                guidance_scale=guidance,
                generator=[torch.Generator().manual_seed(seed + start + i) for i in range(len(labels))],
                controlnet_conditioning_scale=scale,
                output_type="pt",
            )
            pictures.append(output.images)
        drawn[name] = torch.cat(pictures) * 2 - 1
        array = rearrange(torch.cat(pictures) * 255, "n c h w -> n h w c").round().byte().numpy()
        redrawn = Scenes(array, scenes.labels[: len(array)], scenes.centres[: len(array)])
        figures[name] = {**depth_error(depth, redrawn, depths), **oracle_accuracy(oracle, redrawn)}
    return figures, drawn
