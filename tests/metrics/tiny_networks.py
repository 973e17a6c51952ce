"""Random networks small enough for tests, in the formats of the real ones."""

import json
from pathlib import Path

import open_clip
import torch
from safetensors.torch import save_file
from transformers import DPTConfig, DPTForDepthEstimation
from transformers.utils import logging as transformers_logging

CLIP_CONFIG = {
    "embed_dim": 8,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def build_clip(folder: Path) -> Path:
    """What open_clip itself writes to the hub, with other colours than its default ones."""
    folder.mkdir()
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = open_clip.CLIP(**CLIP_CONFIG)
    colours = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    config = {"model_cfg": CLIP_CONFIG, "preprocess_cfg": colours}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return folder


def build_depth(folder: Path) -> Path:
    config = DPTConfig(
        image_size=32,
        patch_size=16,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=4,
        num_attention_heads=2,
        backbone_out_indices=[0, 1, 2, 3],
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
    )
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = DPTForDepthEstimation(config)
        for parameter in model.parameters():
            torch.nn.init.normal_(parameter, std=0.3)
    model.head.head[4].bias.data.fill_(20)  # far from where its ReLU would make everything 0
    transformers_logging.disable_progress_bar()
    model.save_pretrained(folder)
    return folder
