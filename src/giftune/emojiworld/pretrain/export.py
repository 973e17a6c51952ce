"""Write the trained parts as an ordinary `StableDiffusionPipeline` folder, in half precision."""

import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from transformers import CLIPTokenizer

from giftune.emojiworld.pretrain.text_to_image import TextToImageTraining


def export_pipeline(
    vae: AutoencoderKL, scale: float, training: TextToImageTraining, tokenizer: CLIPTokenizer, folder: Path
) -> None:
    """`training` gives its averaged weights; `scale` becomes the autoencoder's scaling factor."""
    vae.register_to_config(scaling_factor=scale, _name_or_path="emojiworld")  # not where it was trained
    pipeline = StableDiffusionPipeline(
        vae=vae,
        text_encoder=training.text_encoder,
        tokenizer=tokenizer,
        unet=training.average.module,
        scheduler=training.scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.to(torch.float16).save_pretrained(folder, safe_serialization=True)
    for name in ("vocab.json", "merges.txt"):  # older readers know a CLIPTokenizer by these
        shutil.copy(Path(tokenizer.name_or_path) / name, folder / "tokenizer" / name)
