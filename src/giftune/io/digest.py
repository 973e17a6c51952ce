"""Hashes that tell networks and tensors apart."""

import hashlib
from collections.abc import Iterable

import torch
from torch import Tensor, nn


def digest(tensors: Iterable[Tensor]) -> str:
    """SHA-256 of every byte."""
    sha = hashlib.sha256()
    for tensor in tensors:
        sha.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()


def fingerprint(network: nn.Module) -> str:
    """Names, shapes and first values of all parameters: tells checkpoints apart in milliseconds.

    Values are compared in bfloat16, so that one checkpoint is the same in whichever type it was loaded.
    """
    sha = hashlib.sha256()
    for name, parameter in network.named_parameters():
        sha.update(f"{name} {tuple(parameter.shape)}".encode())
        sha.update(digest([parameter.detach().flatten()[:8].to(torch.bfloat16)]).encode())
    return sha.hexdigest()[:16]
