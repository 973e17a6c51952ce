"""Where the networks live, and in which type of number."""

import torch

from giftune.errors import InputError

TYPES = ("cuda", "mps", "cpu")
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def resolve_device(device: str) -> torch.device:
    """The device itself; "auto" is the best one present. Raises `InputError` for one that is absent."""
    if device == "auto":
        mps = torch.backends.mps.is_available()
        return torch.device("cuda" if torch.cuda.is_available() else "mps" if mps else "cpu")
    try:
        found = torch.device(device)
        if found.type not in TYPES:
            raise RuntimeError(found.type)
        torch.empty(0, device=found)
    except (RuntimeError, AssertionError) as error:  # torch asserts that it was built with CUDA
        raise InputError(
            f"device is {device!r}, which this machine does not offer; it may be 'auto', 'cuda', 'cuda:0', "
            "'mps' or 'cpu'."
        ) from error
    return found


def resolve_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """The type itself; "auto" is bfloat16 on CUDA, since float16 overflows, and float32 elsewhere."""
    if dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    if dtype not in DTYPES:
        raise InputError(f"dtype is {dtype!r}, it must be 'auto', " + " or ".join(map(repr, DTYPES)) + ".")
    return DTYPES[dtype]
