"""The shipped model and the sampler together: what inversion loses."""

import pytest
import torch

from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.backbone.text import encode_prompts
from giftune.emojiworld.world import make_clip
from giftune.methods.denoiser import denoiser
from giftune.sampling.inversion import invert
from giftune.sampling.sampler import sample
from giftune.unet.inflate import inflate


@pytest.mark.slow
@pytest.mark.parametrize("prompt", ["", "a rabbit is jumping on the grass"])
@torch.no_grad()
def test_inversion_then_sampling_returns_the_source(prompt: str) -> None:
    backbone = load_backbone("emojiworld", device="cpu")
    latents = encode(backbone.vae, make_clip(num_frames=4).clip.frames).mean[None]
    text = encode_prompts(backbone.tokenizer, backbone.text_encoder, [prompt])
    denoise = denoiser(inflate(backbone.unet), backbone.schedule, text)
    noise = invert(denoise, latents, backbone.schedule, 50)
    again = sample(denoise, noise, backbone.schedule, 50)
    assert (noise - latents).std() > 0.5 * latents.std(), "it really went somewhere"
    assert (again - latents).square().mean().sqrt() < 0.06 * latents.std()
