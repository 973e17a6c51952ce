"""Put what `giftune train` made among the embedded models, in half precision.

python -m giftune.emojiworld.pretrain.ship runs/NAME/weights.safetensors harivo
"""

import argparse
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

import giftune.emojiworld
from giftune.io.atomic import atomic_path

ASSETS = Path(giftune.emojiworld.__path__[0]) / "assets"


def ship(weights: Path, path: Path) -> None:
    """The same tensors and the same header; floating-point numbers become float16."""
    with safe_open(weights, framework="pt") as file:
        header = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    halves = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    if broken := [name for name, value in halves.items() if not torch.isfinite(value).all()]:
        raise ValueError(f"{weights} holds {broken[0]}, which is not finite in float16.")
    with atomic_path(path) as temporary:
        save_file(halves, temporary, metadata=header)


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
