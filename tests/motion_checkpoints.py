"""Random motion adapters, with their LoRA, in the layouts of AnimateDiff's and AnimateLCM's releases."""

import json
from pathlib import Path

import torch
from diffusers import MotionAdapter, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from torch import nn

from tests.loras import Delta, write_kohya_lora

LORA = "AnimateLCM_sd15_t2v_lora.safetensors"
RANK, ALPHA = 4, 0.5  # in the release 64 and 8: an eighth of the products is added, as here
LAYERS = (
    *("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out"),
    *("conv1", "conv2", "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv"),
)
# config.json of guoyww/animatediff-motion-adapter-v1-5-2, with numbers for the U-Net of tests/checkpoints.py.
CONFIG = {
    "_class_name": "MotionAdapter",
    "_diffusers_version": "0.21.0.dev0",
    "block_out_channels": [8, 16],
    "motion_layers_per_block": 1,
    "motion_max_seq_length": 6,
    "motion_mid_block_layers_per_block": 1,
    "motion_norm_num_groups": 4,
    "motion_num_attention_heads": 2,
    "use_motion_mid_block": True,
}
SDXL = {"block_out_channels": [320, 640, 1280], "use_motion_mid_block": False}  # all that sdxl-beta changes


def build_adapter(folder: Path, variant: str | None = None, **config) -> Path:
    """config.json and diffusion_pytorch_model[.fp16].safetensors; `config` overrides the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    adapter = MotionAdapter.from_config({**CONFIG, **config})
    tensors = {
        name: value.half() if variant else value.contiguous() for name, value in adapter.state_dict().items()
    }
    middle = f".{variant}" if variant else ""
    save_file(tensors, folder / f"diffusion_pytorch_model{middle}.safetensors", {"format": "pt"})
    write_config(folder, **config)
    return folder


def write_config(folder: Path, **config) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({**CONFIG, **config}, indent=2))


def draw_lcm_deltas(unet: UNet2DConditionModel) -> list[Delta]:
    """For all layers that LCM-LoRA changes: attention, feed-forward, and those of the residual blocks."""
    rng = torch.Generator().manual_seed(2)
    deltas = []
    for name, layer in unet.named_modules():
        if isinstance(layer, nn.Linear | nn.Conv2d) and name.endswith(LAYERS):
            out, *rest = layer.weight.shape
            down = torch.randn(RANK, *rest, generator=rng) / 4
            up = torch.randn(out, RANK, *(1 for _ in rest[1:]), generator=rng) / 4
            deltas.append(Delta("unet", name, down.half().float(), up.half().float()))
    return deltas


def build_animatelcm(folder: Path, unet: UNet2DConditionModel) -> Path:
    """wangfuyun/AnimateLCM: the adapter, and the LoRA in kohya's layout and half precision."""
    build_adapter(folder, conv_in_channels=None)
    path = write_kohya_lora(folder / LORA, draw_lcm_deltas(unet), ALPHA)
    save_file({name: value.half() for name, value in load_file(path).items()}, path)
    return folder
