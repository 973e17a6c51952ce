"""Measure the embedded models: reconstruction, the oracle itself, and text-to-image by the oracle."""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from giftune.emojiworld.captions import caption
from giftune.emojiworld.held_out import SUBJECT_BACKGROUND, SUBJECT_STYLE, is_held_out
from giftune.emojiworld.oracle import CLASSES, Oracle
from giftune.emojiworld.pretrain.autoencoder import Pictures
from giftune.emojiworld.pretrain.scenes import LABELS, Scenes

Wish = dict[str, str]  # subject, background, style


@torch.no_grad()
def reconstruction_psnr(vae: AutoencoderKL, scenes: Scenes) -> dict[str, float]:
    """dB, posterior mean: over all pixels together, and averaged over pictures."""
    errors = [
        (vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1) - x).square().mean(dim=(1, 2, 3)) / 4
        for x in DataLoader(Pictures(scenes), batch_size=50)
    ]
    mse = torch.cat(errors)
    return {"pooled": float(-10 * mse.mean().log10()), "per_picture": float(-10 * mse.log10().mean())}


def oracle_accuracy(oracle: Oracle, scenes: Scenes) -> dict[str, float]:
    """Share of pictures whose attribute is named right, and the centre's mean error in pixels."""
    verdicts = [oracle.judge(x) for x in DataLoader(Pictures(scenes), batch_size=100)]
    result = {
        name: float(np.mean([got == label[name] for got, label in zip(named, scenes.labels, strict=True)]))
        for name in CLASSES
        for named in [[n for v in verdicts for n in getattr(v, name)]]
    }
    centres = torch.cat([v.centres for v in verdicts]).numpy()
    distance = np.linalg.norm(centres - scenes.centres, axis=1).mean() * scenes.pictures.shape[1]
    return result | {"centre_error_px": float(distance)}


def sample_wishes(count: int, held_out: bool, rng: np.random.Generator) -> list[Wish]:
    """Random attributes: only held-out pairs, or none of them."""
    if held_out:
        pairs: list[Wish] = [{"subject": s, "background": b} for s, b in sorted(SUBJECT_BACKGROUND)]
        pairs += [{"subject": s, "style": t} for s, t in sorted(SUBJECT_STYLE)]
    wishes: list[Wish] = []
    while len(wishes) < count:
        wish = {name: str(rng.choice(LABELS[name])) for name in CLASSES}
        if held_out:
            wish |= pairs[len(wishes) % len(pairs)]
        if is_held_out(**wish) == held_out:
            wishes.append(wish)
    return wishes


def generate(
    pipeline: StableDiffusionPipeline,
    wishes: list[Wish],
    steps: int,
    guidance: float,
    seed: int,
    batch: int = 50,
) -> Float[Tensor, "n 3 h w"]:
    """One picture a wish, in [-1, 1]."""
    pictures = []
    for start in range(0, len(wishes), batch):
        captions = [caption(**wish) for wish in wishes[start : start + batch]]
        output = pipeline(
            captions,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=[torch.Generator().manual_seed(seed + start + i) for i in range(len(captions))],
            output_type="pt",
        )
        pictures.append(output.images * 2 - 1)
    return torch.cat(pictures)


def wish_accuracy(oracle: Oracle, pictures: Float[Tensor, "n 3 h w"], wishes: list[Wish]) -> dict[str, float]:
    verdict = oracle.judge(pictures)
    return {
        name: float(
            np.mean([got == wish[name] for got, wish in zip(getattr(verdict, name), wishes, strict=True)])
        )
        for name in CLASSES
    }


def contact_sheet(pictures: Float[Tensor, "n 3 h w"], path: Path, columns: int = 16, zoom: int = 2) -> None:
    rows = len(pictures) // columns
    array = ((pictures[: rows * columns] + 1) * 127.5).round().clamp(0, 255).byte().movedim(1, -1).numpy()
    _, h, w, _ = array.shape
    sheet = array.reshape(rows, columns, h, w, 3).transpose(0, 2, 1, 3, 4).reshape(rows * h, columns * w, 3)
    image = Image.fromarray(sheet)
    image.resize((image.width * zoom, image.height * zoom), Image.Resampling.NEAREST).save(path)
