from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.oracle import Oracle, Verdict
from giftune.emojiworld.pretrain.evaluate import (
    contact_sheet,
    oracle_accuracy,
    reconstruction_psnr,
    sample_wishes,
    wish_accuracy,
)
from giftune.emojiworld.pretrain.scenes import Scenes

RNG = np.random.default_rng(0)
SCENES = Scenes(
    RNG.integers(0, 255, (2, 64, 64, 3), dtype=np.uint8),
    [{"subject": "fox", "background": "snow", "style": "plain"}] * 2,
    np.array([[0.5, 0.5], [0.5, 0.5]], dtype=np.float32),
)


class _Seer(Oracle):
    def judge(self, frames: torch.Tensor) -> Verdict:
        return Verdict(
            ["fox", "pig"], ["snow", "snow"], ["plain", "sketch"], torch.tensor([[0.5, 0.5], [0.5, 0.75]])
        )


class _Dimming(AutoencoderKL):
    """Decodes everything as 0.9 x + 0.1."""

    def __init__(self) -> None:
        super().__init__(block_out_channels=(4,), norm_num_groups=2)

    def encode(self, x: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(latent_dist=SimpleNamespace(mean=x))

    def decode(self, z: torch.Tensor) -> SimpleNamespace:
        return SimpleNamespace(sample=0.9 * z + 0.1)


def test_psnr_agrees_with_scikit_image() -> None:
    truth = SCENES.pictures[0] / 127.5 - 1
    expected = peak_signal_noise_ratio(truth, np.clip(0.9 * truth + 0.1, -1, 1), data_range=2)
    one = Scenes(SCENES.pictures[:1], SCENES.labels[:1], SCENES.centres[:1])
    assert reconstruction_psnr(_Dimming(), one)["pooled"] == pytest.approx(expected, abs=1e-3)


def test_accuracies_count_right_names_and_pixels() -> None:
    figures = oracle_accuracy(_Seer(), SCENES)
    assert figures == {"subject": 0.5, "background": 1.0, "style": 0.5, "centre_error_px": 8.0}
    wishes = [{"subject": "fox", "background": "moon", "style": "plain"}] * 2
    assert wish_accuracy(_Seer(), torch.zeros(2, 3, 64, 64), wishes) == {
        "subject": 0.5, "background": 0.0, "style": 0.5,
    }  # fmt: skip


@pytest.mark.parametrize("held_out", [False, True])
def test_wishes_are_of_the_asked_kind(held_out: bool) -> None:
    wishes = sample_wishes(40, held_out, np.random.default_rng(0))
    assert all(is_held_out(**wish) == held_out for wish in wishes)


def test_contact_sheet_shows_pictures_row_by_row(tmp_path: Path) -> None:
    pictures = torch.linspace(-1, 1, 4).view(4, 1, 1, 1).expand(4, 3, 8, 8)
    contact_sheet(pictures, tmp_path / "sheet.png", columns=2, zoom=1)
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (16, 16, 3)
    assert [int(sheet[y, x, 0]) for y, x in ((0, 0), (0, 8), (8, 0), (8, 8))] == [0, 85, 170, 255]
