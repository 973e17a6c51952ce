"""Random ControlNets and T2I-Adapters for the miniature of Stable Diffusion 1.x, laid out as released."""

from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, T2IAdapter

from tests.checkpoints import WIDTH

WEIGHTS = "diffusion_pytorch_model.safetensors"
CONTROLNET = {
    "block_out_channels": (8, 16),
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": WIDTH,
    "attention_head_dim": 2,
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "conditioning_embedding_out_channels": (4, 4, 8, 8),
}
ADAPTER = {"channels": [8, 16], "num_res_blocks": 2, "downscale_factor": 8, "adapter_type": "full_adapter"}


def build_controlnet(folder: Path, **settings: Any) -> Path:
    """As lllyasviel/sd-controlnet-depth: config.json beside the weights; no output is zero, as if trained."""
    return _save(ControlNetModel, {**CONTROLNET, **settings}, folder)


def build_adapter(folder: Path, **settings: Any) -> Path:
    """As TencentARC/t2iadapter_depth_sd15v2."""
    return _save(T2IAdapter, {**ADAPTER, **settings}, folder)


def _save(kind: Any, settings: dict[str, Any], folder: Path) -> Path:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = kind(**settings)
        for name, parameter in network.named_parameters():
            if "cond_embedding" in name and parameter.ndim == 4:  # else hardly anything comes through
                torch.nn.init.kaiming_normal_(parameter)
            elif not parameter.any():
                torch.nn.init.normal_(parameter, std=0.2)
    network.save_pretrained(folder)
    return folder
