from pathlib import Path

import numpy as np
import torch

from giftune.emojiworld.pretrain.autoencoder import build_autoencoder
from giftune.emojiworld.pretrain.latents import encode_scenes
from giftune.emojiworld.pretrain.scenes import Scenes


def test_latents_have_unit_variance_and_are_encoded_once(tmp_path: Path) -> None:
    pictures = np.random.default_rng(0).integers(0, 255, (6, 32, 32, 3), dtype=np.uint8)
    scenes = Scenes(pictures, [{}] * 6, np.zeros((6, 2), dtype=np.float32))
    vae = build_autoencoder()
    latents, scale = encode_scenes(vae, scenes, tmp_path / "latents.safetensors")
    assert latents.shape == (6, 4, 8, 8)
    torch.testing.assert_close(latents.std(), torch.tensor(1.0))
    direct = vae.encode(torch.from_numpy(pictures[2:3]).movedim(-1, 1).float() / 127.5 - 1).latent_dist.mean
    torch.testing.assert_close(latents[2:3], direct * scale, rtol=1e-4, atol=1e-4)
    other, _ = encode_scenes(build_autoencoder(), scenes, tmp_path / "latents.safetensors")
    assert torch.equal(other, latents), "the cached means are used"
