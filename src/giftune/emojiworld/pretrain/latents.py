"""Encode the rendered scenes once, for the text-to-image training."""

from pathlib import Path

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.utils.data import DataLoader

from giftune.emojiworld.pretrain.autoencoder import Pictures
from giftune.emojiworld.pretrain.scenes import Scenes


@torch.no_grad()
def encode_scenes(vae: AutoencoderKL, scenes: Scenes, cache: Path) -> tuple[Float[Tensor, "n c h w"], float]:
    """Posterior means scaled to unit variance, and the scale (`vae.config.scaling_factor`)."""
    if not cache.exists():
        vae.eval()
        batches = DataLoader(Pictures(scenes), batch_size=100)
        save_file({"means": torch.cat([vae.encode(x).latent_dist.mean for x in batches])}, cache)
    means = load_file(cache)["means"]
    scale = 1 / means.std().item()
    return means * scale, scale
