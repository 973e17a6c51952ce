import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from giftune.emojiworld.captions import words
from giftune.emojiworld.pretrain.autoencoder import build_autoencoder
from giftune.emojiworld.pretrain.export import export_pipeline
from giftune.emojiworld.pretrain.text_encoder import build_text_encoder
from giftune.emojiworld.pretrain.text_to_image import TextToImageTraining
from giftune.emojiworld.pretrain.tokenizer import build_tokenizer


def test_export_is_an_ordinary_pipeline_folder_with_the_averaged_weights(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(words(), tmp_path / "tokenizer")
    training = TextToImageTraining(build_text_encoder(tokenizer), max_steps=10)
    with torch.no_grad():
        training.average.module.conv_in.bias.fill_(0.25)
    build_autoencoder().save_pretrained(tmp_path / "vae")
    vae = AutoencoderKL.from_pretrained(tmp_path / "vae")
    export_pipeline(vae, 0.5, training, tokenizer, tmp_path / "out")
    pipeline = StableDiffusionPipeline.from_pretrained(tmp_path / "out", torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    assert pipeline.vae.config.scaling_factor == 0.5
    assert pipeline.scheduler.config.prediction_type == "v_prediction"
    assert (pipeline.unet.conv_in.bias == 0.25).all()
    assert pipeline("a fox", num_inference_steps=1, output_type="np").images.shape == (1, 64, 64, 3)
    assert json.loads((tmp_path / "out/tokenizer/vocab.json").read_text())["rabbit</w>"] > 0
    configs = [path.read_text() for path in (tmp_path / "out").rglob("*config.json")]
    assert not any(str(tmp_path) in config for config in configs), "no path of this machine"
    assert not list((tmp_path / "out").rglob("*.bin"))
