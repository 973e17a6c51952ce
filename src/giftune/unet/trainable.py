"""Which tensors are tuned."""

from collections.abc import Sequence

from torch import nn

from giftune.errors import InputError

# Tune-A-Video's choice (Wu et al. 2023, section 4.2).
SUFFIXES = ("attn1.to_q", "attn2.to_q", "temporal")


def select_trainable(
    module: nn.Module, suffixes: Sequence[str] = SUFFIXES, frozen: Sequence[str] = ()
) -> list[str]:
    """Freeze everything but the modules whose dotted name ends with a suffix; return the trainable names.

    Normalisation inside a chosen module stays frozen, as in Tune-A-Video: the projections behind it can
    absorb its scale. So does whatever is inside a part named in `frozen`. Raises `InputError` for a suffix or
    a part without any match, and when nothing is left.
    """
    module.requires_grad_(False)
    for suffix in suffixes:
        parameters = [p for m in ending(module, suffix) for p in _without_inner_norms(m)]
        if not parameters:
            raise InputError(f"suffixes contains {suffix!r}, but no module with parameters ends so")
        for parameter in parameters:
            parameter.requires_grad_(True)
    for part in frozen:
        found = ending(module, part)
        if not found:
            raise InputError(f"frozen contains {part!r}, but the network has no such part")
        for inner in found:
            inner.requires_grad_(False)
    names = [name for name, parameter in module.named_parameters() if parameter.requires_grad]
    if frozen and not names:
        raise InputError(f"frozen is {', '.join(frozen)}, which leaves nothing to learn")
    return names


def ending(module: nn.Module, suffix: str) -> list[nn.Module]:
    """The modules inside, and only those, whose dotted name ends with a suffix."""
    names = module.named_modules()
    return [inner for name, inner in names if name and suffix and f".{name}".endswith(f".{suffix}")]


def count(module: nn.Module) -> int:
    """The number of trainable values."""
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)


def _without_inner_norms(module: nn.Module) -> list[nn.Parameter]:
    kept = [m for m in module.modules() if m is module or not isinstance(m, nn.LayerNorm | nn.GroupNorm)]
    return [parameter for m in kept for parameter in m.parameters(recurse=False)]
