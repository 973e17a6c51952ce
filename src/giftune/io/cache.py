"""Tensors remembered on disk under a hash of everything that they depend on."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from giftune.io.atomic import atomic_path
from giftune.io.digest import digest


def cached(
    folder: Path | None, key_parts: Mapping[str, str], compute: Callable[[], Mapping[str, Tensor]]
) -> dict[str, Tensor]:
    """`compute()` on the CPU, remembered in `folder`; a damaged file is computed again.

    Without a folder nothing is remembered. Two processes may compute the same, and one file stays.
    """
    if folder is None:
        return dict(compute())
    key = json.dumps(dict(key_parts), sort_keys=True)
    path = folder / f"{hashlib.sha256(key.encode()).hexdigest()}.safetensors"
    if (found := _read(path)) is not None:
        return found
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in compute().items()}
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"key": key, "sha256": _sum(tensors)})
    return tensors


def _read(path: Path) -> dict[str, Tensor] | None:
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            intact = (file.metadata() or {}).get("sha256") == _sum(tensors)
    except (OSError, SafetensorError):
        return None
    return tensors if intact else None


def _sum(tensors: Mapping[str, Tensor]) -> str:
    return digest(tensors[name] for name in sorted(tensors))
