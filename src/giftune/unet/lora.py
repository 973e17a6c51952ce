"""Low-rank tuning (LoRA, Hu et al. 2022): W x becomes W x + (alpha / rank) B A x, and W stays."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Generator, Tensor, nn

from giftune.errors import InputError
from giftune.unet.block import SpatioTemporalBlock
from giftune.unet.trainable import ending


@dataclass(frozen=True)
class Lora:
    """The rank of what is learnt in place of whole matrices, None for whole ones; `alpha` None is the rank.

    Raises `InputError` for settings out of range.
    """

    rank: int | None = None
    alpha: float | None = None

    def __post_init__(self) -> None:
        if self.rank is not None and self.rank < 1:
            raise InputError(f"lora.rank is {self.rank}, it must be at least 1, or null for whole matrices.")
        if self.alpha is not None and not self.alpha > 0:
            raise InputError(f"lora.alpha is {self.alpha}, it must be positive, or null for the rank.")


class LoraLinear(nn.Linear):
    """Never constructed: `add_lora` gives a layer two matrices and this class, so no key moves."""

    lora_down: nn.Parameter  # A, "rank in"
    lora_up: nn.Parameter  # B, "out rank"
    scale: float

    def forward(self, input: Float[Tensor, "*b n"]) -> Float[Tensor, "*b m"]:
        low = F.linear(F.linear(input, self.lora_down), self.lora_up)
        return super().forward(input) + self.scale * low


def add_lora(module: nn.Module, lora: Lora, generator: Generator, whole: Sequence[str] = ()) -> list[str]:
    """Let every linear layer that is tuned learn two thin float32 matrices; return the names that learn now.

    B is zero, so the network is what it was; A is uniform as in the authors' code. Biases of the layers learn
    as before. Temporal attention, which has no trained matrices to change, starts with Q, K and V of the
    self-attention in its block (ours): all that stays is then known from the checkpoint, and what is learnt
    fits into a small file. A layer that the rank would not make smaller goes on learning as a whole, as does
    what is inside a module whose name ends with a suffix of `whole`. Call it after `select_trainable`.
    Raises `InputError` for tuned layers that are not linear.
    """
    assert lora.rank is not None, "without a rank there is nothing to add"
    blocks = [block for block in module.modules() if isinstance(block, SpatioTemporalBlock)]
    for block in [block for block in blocks if block.temporal is not None]:
        for projection in ("to_q", "to_k", "to_v"):
            start = getattr(block.attn1, projection).weight.detach()
            getattr(block.temporal, projection).weight.data.copy_(start)
    scale = (lora.rank if lora.alpha is None else lora.alpha) / lora.rank
    kept = {inner for suffix in whole for part in ending(module, suffix) for inner in part.modules()}
    for name, layer in [(n, m) for n, m in module.named_modules() if _tuned(m) and m not in kept]:
        if type(layer) is not nn.Linear:
            raise InputError(f"lora.rank is {lora.rank}, but {name} is no linear layer: leave it untuned.")
        outputs, inputs = layer.weight.shape
        if lora.rank * (outputs + inputs) >= outputs * inputs:
            continue
        down = nn.init.kaiming_uniform_(torch.empty(lora.rank, inputs), a=5**0.5, generator=generator)
        layer.__class__ = LoraLinear
        layer.scale = scale  # type: ignore[assignment]
        layer.lora_down = nn.Parameter(down.to(layer.weight.device))
        layer.lora_up = nn.Parameter(torch.zeros(outputs, lora.rank, device=layer.weight.device))
        layer.weight.requires_grad_(False)
    if not lora_layers(module):
        warnings.warn(f"lora.rank {lora.rank} makes no layer smaller: whole matrices learn.", stacklevel=2)
    return [name for name, parameter in module.named_parameters() if parameter.requires_grad]


@torch.no_grad()
def merge_lora(module: nn.Module) -> None:
    """Add (alpha / rank) B A to each W for good, as if W itself had been tuned under its own key."""
    for layer in lora_layers(module):
        update = layer.scale * layer.lora_up.double() @ layer.lora_down.double()
        layer.weight.copy_(layer.weight.double() + update)
        del layer.lora_up, layer.lora_down, layer.scale
        layer.__class__ = nn.Linear  # type: ignore[assignment]
        layer.weight.requires_grad_(True)


def low_rank(module: nn.Module) -> dict[str, str]:
    """What `add_lora` made of it, as metadata for tuned weights; nothing where whole matrices are tuned."""
    layers = lora_layers(module)
    return {"lora": f"rank {len(layers[0].lora_down)}, scale {layers[0].scale}"} if layers else {}


def lora_layers(module: nn.Module) -> list[LoraLinear]:
    return [layer for layer in module.modules() if isinstance(layer, LoraLinear)]


def _tuned(module: nn.Module) -> bool:
    weight = cast(Tensor | None, getattr(module, "weight", None))
    return weight is not None and weight.requires_grad
