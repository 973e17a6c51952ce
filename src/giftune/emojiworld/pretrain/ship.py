"""Put what `giftune train` made among the embedded models, in few bits.

python -m giftune.emojiworld.pretrain.ship runs/NAME/weights.safetensors harivo
"""

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

import giftune.emojiworld
from giftune.io.atomic import atomic_path

ASSETS = Path(giftune.emojiworld.__path__[0]) / "assets"
LARGE = 4096  # values; tensors below weigh little, and carry gates, norms and biases


def ship(weights: Path, path: Path) -> None:
    """The same tensors and the same header; large matrices and kernels become float8, the rest float16.

    Raises `ValueError` for numbers that these cannot hold.
    """
    with safe_open(weights, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    kinds = {name: _kind(value) for name, value in tensors.items()}
    for name, kind in kinds.items():
        if kind.is_floating_point and not (tensors[name].abs() <= torch.finfo(kind).max).all():
            raise ValueError(f"{weights} holds {name}, which {kind} cannot hold.")
    shipped = {name: value.to(kinds[name]) for name, value in tensors.items()}
    with atomic_path(path) as temporary:
        save_file(shipped, temporary, metadata=header)


def _kind(value: Tensor) -> torch.dtype:
    if not value.is_floating_point():
        return value.dtype
    return torch.float8_e4m3fn if value.ndim > 1 and value.numel() >= LARGE else torch.float16


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("weights", type=Path)
    parser.add_argument("name", choices=["harivo", "pix2gif"])
    arguments = parser.parse_args()
    ship(arguments.weights, ASSETS / f"{arguments.name}.safetensors")


if __name__ == "__main__":
    main()
