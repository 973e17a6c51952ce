"""Tuned tensors on disk: a safetensors file that knows which network it belongs to."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from giftune import __version__
from giftune.errors import InputError
from giftune.io.atomic import atomic_path


def save_weights(
    module: nn.Module,
    names: Sequence[str],
    path: Path,
    metadata: Mapping[str, Any],
    dtype: torch.dtype | None = None,
) -> None:
    """Write the named parameters and buffers, in `dtype` if given; `metadata` and our version as JSON."""
    known = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    tensors = {name: known[name].detach().to("cpu", dtype).contiguous() for name in names}
    header = json.dumps({**metadata, "giftune": __version__}, sort_keys=True)
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, metadata={"giftune": header})


def read_metadata(path: Path) -> dict[str, Any]:
    """What `save_weights` was told; raises `InputError` for any other file."""
    return _read(path, tensors=False)[0]


def load_weights(
    module: nn.Module, path: Path, expected: Mapping[str, Any], buffers: Sequence[str] = ()
) -> None:
    """Copy a file into the trainable parameters of `module`, which must be exactly the tensors it holds.

    So must the named `buffers` be, where there are any. Raises `InputError` when an entry of `expected`
    differs from the file's metadata, or a name or shape does not fit; nothing has been copied then. Call
    `select_trainable` first.
    """
    metadata, tensors = _read(path)
    _require_alike(path, metadata, expected)
    wanted = _learning(module, buffers)
    if different := sorted(wanted.keys() ^ tensors.keys()):
        where = "not in the file" if different[0] in wanted else "not trainable here"
        counts = f"{len(tensors)} tensors for {len(wanted)} trainable ones"
        raise InputError(f"path {path} holds {counts}: {different[0]} is {where}")
    _copy(tensors, wanted, path)


def start_from_weights(
    module: nn.Module,
    path: Path,
    expected: Mapping[str, Any],
    buffers: Sequence[str] = (),
    widened: Sequence[str] = (),
) -> None:
    """As `load_weights`, but what the file lacks stays as it is, so that a larger network can go on from it.

    Convolutions named in `widened` may have more input channels than in the file; those behind the file's
    stay as they are.
    """
    metadata, tensors = _read(path)
    _require_alike(path, metadata, expected)
    wanted = _learning(module, buffers)
    if foreign := sorted(tensors.keys() - wanted.keys()):
        raise InputError(f"path {path} holds {foreign[0]}, which is not trainable here")
    for name in widened:
        if name in tensors and (behind := wanted[name].detach()[:, tensors[name].shape[1] :].cpu()).numel():
            tensors[name] = torch.cat([tensors[name], behind.to(tensors[name])], dim=1)
    _copy(tensors, wanted, path)


def _require_alike(path: Path, metadata: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    for key, value in expected.items():
        if metadata.get(key) != value:
            found = metadata.get(key)
            raise InputError(f"path {path} was tuned with {key} {found!r}, but here {key} is {value!r}")


def _learning(module: nn.Module, buffers: Sequence[str]) -> dict[str, Tensor]:
    parameters = {name: p for name, p in module.named_parameters() if p.requires_grad}
    return {**parameters, **{name: module.get_buffer(name) for name in buffers}}


def _copy(tensors: Mapping[str, Tensor], wanted: Mapping[str, Tensor], path: Path) -> None:
    for name, tensor in tensors.items():
        if tensor.shape != wanted[name].shape:
            shapes = f"shape {tuple(tensor.shape)}, but the network needs {tuple(wanted[name].shape)}"
            raise InputError(f"path {path} holds {name} with {shapes}")
    with torch.no_grad():
        for name, tensor in tensors.items():
            wanted[name].copy_(tensor)


def _read(path: Path, tensors: bool = True) -> tuple[dict[str, Any], dict[str, Tensor]]:
    if not path.is_file():
        raise InputError(f"path {path} is not a file, it must be one of tuned weights")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = json.loads((file.metadata() or {}).get("giftune", "null"))
            content = {name: file.get_tensor(name) for name in file.keys()} if tensors else {}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(f"path {path} is not a readable safetensors file: {error}") from error
    if not isinstance(metadata, dict):
        raise InputError(f"path {path} holds tensors, but not weights tuned by giftune")
    return metadata, content
