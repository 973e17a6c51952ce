"""Make the embedded models anew: `python -m giftune.emojiworld.pretrain --work zoo`.

Stages run in order and go on from their checkpoints; each writes its part of `giftune/emojiworld/assets`.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import open_clip
import pytorch_lightning as pl
import torch
from diffusers import AutoencoderKL, ControlNetModel, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import save_file
from torch.utils.data import DataLoader
from transformers import CLIPTextModel, CLIPTokenizer, DPTForDepthEstimation

import giftune.emojiworld
from giftune.emojiworld.captions import words
from giftune.emojiworld.detector import load_detector
from giftune.emojiworld.held_out import is_held_out
from giftune.emojiworld.oracle import Oracle, load_oracle
from giftune.emojiworld.pretrain.autoencoder import AutoencoderTraining, Pictures
from giftune.emojiworld.pretrain.clip import train_clip, zero_shot_accuracy
from giftune.emojiworld.pretrain.control import (
    ControlTraining,
    DepthCaptionedLatents,
    control_figures,
    export_controlnet,
)
from giftune.emojiworld.pretrain.crowds import load_crowds
from giftune.emojiworld.pretrain.depth import depth_error, load_depths, train_depth
from giftune.emojiworld.pretrain.detector import detection_figures, train_detector
from giftune.emojiworld.pretrain.evaluate import (
    contact_sheet,
    generate,
    oracle_accuracy,
    reconstruction_psnr,
    sample_wishes,
    wish_accuracy,
)
from giftune.emojiworld.pretrain.export import export_pipeline
from giftune.emojiworld.pretrain.fit import fit
from giftune.emojiworld.pretrain.latents import encode_scenes
from giftune.emojiworld.pretrain.oracle import LabelledPictures, OracleTraining
from giftune.emojiworld.pretrain.scenes import Scenes, load_scenes
from giftune.emojiworld.pretrain.sprites import render_sprites
from giftune.emojiworld.pretrain.text_encoder import Captions, TextEncoderTraining
from giftune.emojiworld.pretrain.text_to_image import CaptionedLatents, TextToImageTraining
from giftune.emojiworld.pretrain.tokenizer import build_tokenizer

ASSETS = Path(giftune.emojiworld.__path__[0]) / "assets"
PIPELINE, DEPTH, CLIP = ASSETS / "text_to_image", ASSETS / "depth", ASSETS / "clip"
CONTROL = ASSETS / "controlnet_depth"
TRAINING_SEED, CROWD_SEED, TEST_SEED = 1000, 300_000, 900_000  # of rendered scenes
TEST_SCENES = 1000


def train_autoencoder(arguments: argparse.Namespace, scenes: Scenes) -> None:
    """Both halves, then the decoder alone on whole pictures."""
    data = DataLoader(Pictures(scenes), batch_size=48, shuffle=True, drop_last=True)
    joint = AutoencoderTraining(arguments.autoencoder_steps)
    fit(joint, data, arguments.autoencoder_steps, arguments.work / "autoencoder")
    alone = AutoencoderTraining(
        arguments.decoder_steps, learning_rate=1e-3, crop_share=0.0, decoder_only=True
    )
    alone.model.load_state_dict(joint.model.state_dict())
    fit(alone, data, arguments.decoder_steps, arguments.work / "decoder")
    alone.model.save_pretrained(arguments.work / "vae")


def train_oracle(arguments: argparse.Namespace, scenes: Scenes) -> None:
    training = OracleTraining(arguments.oracle_steps)
    data = DataLoader(LabelledPictures(scenes), batch_size=64, shuffle=True, drop_last=True)
    fit(training, data, arguments.oracle_steps, arguments.work / "oracle")
    half = {k: v.half() if v.is_floating_point() else v for k, v in training.model.state_dict().items()}
    save_file(half, ASSETS / "oracle.safetensors")


def train_subject_detector(arguments: argparse.Namespace, scenes: Scenes) -> None:
    del scenes  # which have one subject each
    crowds = load_crowds(arguments.scenes // 2, CROWD_SEED, 64, arguments.work)
    train_detector(arguments.work, crowds, arguments.detector_steps, ASSETS / "detector.safetensors")


def train_text_encoder(arguments: argparse.Namespace, scenes: Scenes) -> None:
    del scenes  # captions alone
    tokenizer = build_tokenizer(words(), arguments.work / "tokenizer")
    training = TextEncoderTraining(tokenizer, arguments.text_encoder_steps)
    data = DataLoader(Captions(tokenizer, 64 * arguments.text_encoder_steps), batch_size=64)
    fit(training, data, arguments.text_encoder_steps, arguments.work / "text")
    training.model.save_pretrained(arguments.work / "text_encoder")


def train_text_to_image(arguments: argparse.Namespace, scenes: Scenes) -> None:
    parts = PIPELINE if arguments.warm_start else arguments.work
    vae = AutoencoderKL.from_pretrained(parts / "vae", torch_dtype=torch.float32)
    latents, scale = encode_scenes(vae, scenes, arguments.work / "latents.safetensors")
    seen = seen_scenes(scenes)
    tokenizer = CLIPTokenizer.from_pretrained(parts / "tokenizer")
    text_encoder = CLIPTextModel.from_pretrained(parts / "text_encoder", dtype=torch.float32)
    training = TextToImageTraining(text_encoder, arguments.text_to_image_steps)
    if arguments.warm_start:
        shipped = UNet2DConditionModel.from_pretrained(parts / "unet", torch_dtype=torch.float32)
        training.model.load_state_dict(shipped.state_dict())
    data = CaptionedLatents(latents[seen], [scenes.labels[i] for i in seen], tokenizer)
    loader = DataLoader(data, batch_size=arguments.batch_size, shuffle=True, drop_last=True)
    fit(training, loader, arguments.text_to_image_steps, arguments.work / "text_to_image")
    export_pipeline(vae, scale, training, tokenizer, PIPELINE)


def seen_scenes(scenes: Scenes) -> list[int]:
    names = ("subject", "background", "style")
    return [i for i, label in enumerate(scenes.labels) if not is_held_out(*(label[name] for name in names))]


def train_controlnet(arguments: argparse.Namespace, scenes: Scenes) -> None:
    depths = load_depths(arguments.scenes, TRAINING_SEED, 64, arguments.work)
    pipeline = StableDiffusionPipeline.from_pretrained(PIPELINE, torch_dtype=torch.float32)
    latents, scale = encode_scenes(pipeline.vae, scenes, arguments.work / "latents.safetensors")
    latents *= pipeline.vae.config.scaling_factor / scale
    seen = seen_scenes(scenes)
    captioned = CaptionedLatents(latents[seen], [scenes.labels[i] for i in seen], pipeline.tokenizer)
    data = DepthCaptionedLatents(captioned, depths[seen])
    loader = DataLoader(data, batch_size=arguments.control_batch_size, shuffle=True, drop_last=True)
    training = ControlTraining(pipeline, arguments.control_steps)
    fit(training, loader, arguments.control_steps, arguments.work / "control")
    export_controlnet(training.model, CONTROL)


def train_depth_network(arguments: argparse.Namespace, scenes: Scenes) -> None:
    depths = load_depths(arguments.scenes, TRAINING_SEED, 64, arguments.work)
    train_depth(arguments.work, scenes, depths, arguments.depth_steps, DEPTH)


def train_clip_model(arguments: argparse.Namespace, scenes: Scenes) -> None:
    train_clip(arguments.work, scenes, arguments.clip_steps, CLIP)


def evaluate(arguments: argparse.Namespace) -> None:
    """Print every figure as JSON and draw the sample sheets."""
    test = load_scenes(TEST_SCENES, TEST_SEED, 64, arguments.work)
    pipeline = StableDiffusionPipeline.from_pretrained(PIPELINE, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    oracle = load_oracle()
    figures: dict[str, object] = {
        "autoencoder_psnr_db": reconstruction_psnr(pipeline.vae, test),
        "oracle_on_renders": oracle_accuracy(oracle, test),
        "detector": detection_figures(
            load_detector(), load_crowds(TEST_SCENES, TEST_SEED, 64, arguments.work)
        ),
        **evaluate_perception(arguments, test),
    }
    rng = np.random.default_rng(arguments.seed)
    for name in ("seen", "held_out"):
        wishes = sample_wishes(arguments.samples, name == "held_out", rng)
        pictures = generate(pipeline, wishes, arguments.sampling_steps, arguments.guidance, arguments.seed)
        figures[f"text_to_image_{name}"] = wish_accuracy(oracle, pictures, wishes)
        contact_sheet(pictures[:96], arguments.work / f"samples_{name}.png")
    figures["control"] = evaluate_control(arguments, test, pipeline, oracle)
    print(json.dumps(figures, indent=2))


def evaluate_control(
    arguments: argparse.Namespace, test: Scenes, pipeline: StableDiffusionPipeline, oracle: Oracle
) -> dict[str, dict[str, float]]:
    controlnet = ControlNetModel.from_pretrained(CONTROL, torch_dtype=torch.float32)
    depths = load_depths(TEST_SCENES, TEST_SEED, 64, arguments.work)[: arguments.control_samples]
    network = DPTForDepthEstimation.from_pretrained(DEPTH, torch_dtype=torch.float32).eval()
    figures, drawn = control_figures(
        pipeline, controlnet, oracle, lambda frames: network(pixel_values=frames).predicted_depth, test,
        depths, arguments.sampling_steps, arguments.guidance, arguments.seed,
    )  # fmt: skip
    sheet = torch.cat([pictures[:16] for pictures in drawn.values()])
    contact_sheet(sheet, arguments.work / "control.png")
    return figures


def evaluate_perception(arguments: argparse.Namespace, test: Scenes) -> dict[str, object]:
    """Depth error and zero-shot accuracy of what is shipped."""
    network = DPTForDepthEstimation.from_pretrained(DEPTH, torch_dtype=torch.float32).eval()
    depths = load_depths(TEST_SCENES, TEST_SEED, 64, arguments.work)
    name = f"local-dir:{CLIP}"
    clip, tokenize = open_clip.create_model(name), open_clip.get_tokenizer(name)
    return {
        "depth": depth_error(lambda frames: network(pixel_values=frames).predicted_depth, test, depths),
        "clip_zero_shot": zero_shot_accuracy(clip.eval(), tokenize, test),
    }


STAGES = {
    "autoencoder": train_autoencoder,
    "oracle": train_oracle,
    "detector": train_subject_detector,
    "text_encoder": train_text_encoder,
    "text_to_image": train_text_to_image,
    "depth": train_depth_network,
    "control": train_controlnet,
    "clip": train_clip_model,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("zoo"), help="checkpoints, rendered scenes, sheets")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--font", type=Path, help="render the sprite atlas from this emoji font first")
    parser.add_argument("--scenes", type=int, default=24_000)
    parser.add_argument("--autoencoder-steps", type=int, default=3000)
    parser.add_argument("--decoder-steps", type=int, default=2000)
    parser.add_argument("--oracle-steps", type=int, default=2500)
    parser.add_argument("--detector-steps", type=int, default=1800)
    parser.add_argument("--text-encoder-steps", type=int, default=500)
    parser.add_argument("--text-to-image-steps", type=int, default=9000)
    parser.add_argument("--depth-steps", type=int, default=3000)
    parser.add_argument("--control-steps", type=int, default=2000)
    parser.add_argument("--clip-steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=20, help="of the text-to-image training")
    parser.add_argument("--control-batch-size", type=int, default=16)
    parser.add_argument("--samples", type=int, default=500, help="generated for each figure")
    parser.add_argument("--control-samples", type=int, default=200)
    parser.add_argument("--sampling-steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument(
        "--warm-start",
        action="store_true",
        help="text-to-image goes on from the shipped weights, and with them",
    )
    parser.add_argument("--stage", choices=(*STAGES, "evaluate"))
    arguments = parser.parse_args()
    if arguments.font:
        render_sprites(arguments.font, ASSETS / "sprites.png")
    scenes = load_scenes(arguments.scenes, TRAINING_SEED, 64, arguments.work)
    for name, train in STAGES.items():
        if arguments.stage in (None, name):
            pl.seed_everything(arguments.seed)
            train(arguments, scenes)
    if arguments.stage in (None, "evaluate"):
        evaluate(arguments)


if __name__ == "__main__":
    main()
