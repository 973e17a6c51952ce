"""Random LoRA files in the layouts of diffusers/peft and of kohya's trainer."""

from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

UNET_LAYERS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
TEXT_LAYERS = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")
KOHYA = {"unet": "lora_unet", "text_encoder": "lora_te"}


class Delta(NamedTuple):
    """What a LoRA adds to one layer: scale * up @ down, where scale is alpha / rank."""

    part: str
    layer: str
    down: Tensor
    up: Tensor

    def dense(self, scale: float) -> Tensor:
        """In the shape of the layer's weight."""
        out, rank = self.up.shape[:2]
        return scale * (self.up.view(out, rank) @ self.down.view(rank, -1)).view(out, *self.down.shape[1:])


def draw_deltas(unet: nn.Module, text_encoder: nn.Module | None = None, rank: int = 2) -> list[Delta]:
    """A random low-rank change for each layer that such files usually hold."""
    rng = torch.Generator().manual_seed(1)
    parts = [("unet", unet, UNET_LAYERS), ("text_encoder", text_encoder or nn.Module(), TEXT_LAYERS)]
    deltas = []
    for part, network, ends in parts:
        for name, layer in network.named_modules():
            if isinstance(layer, nn.Linear | nn.Conv2d) and name.endswith(ends) and "time" not in name:
                out, *rest = layer.weight.shape
                down = torch.randn(rank, *rest, generator=rng) / 4
                up = torch.randn(out, rank, *(1 for _ in rest[1:]), generator=rng) / 4
                deltas.append(Delta(part, name, down, up))
    return deltas


def write_peft_lora(path: Path, deltas: list[Delta]) -> Path:
    """`save_lora_weights` of diffusers: the scale is 1."""
    tensors = {}
    for part, layer, down, up in deltas:
        tensors[f"{part}.{_released(part, layer)}.lora_A.weight"] = down
        tensors[f"{part}.{_released(part, layer)}.lora_B.weight"] = up
    save_file(tensors, path, {"format": "pt"})
    return path


def write_kohya_lora(path: Path, deltas: list[Delta], alpha: float) -> Path:
    """The names that most shared files have: dots become underscores, alpha is a tensor."""
    tensors = {}
    for part, layer, down, up in deltas:
        name = f"{KOHYA[part]}_{_released(part, layer).replace('.', '_')}"
        tensors[f"{name}.lora_down.weight"], tensors[f"{name}.lora_up.weight"] = down, up
        tensors[f"{name}.alpha"] = torch.tensor(alpha)
    save_file(tensors, path, {"ss_network_module": "networks.lora"})
    return path


def _released(part: str, layer: str) -> str:
    return f"text_model.{layer.removeprefix('text_model.')}" if part == "text_encoder" else layer
