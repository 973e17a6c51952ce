"""One switch for torch.compile."""

from torch import nn

from giftune.errors import InputError

MODES = ("default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")


def compile_in_place(network: nn.Module, mode: bool | str = True) -> None:
    """Compile at the first call, by torch into torch's own cache; no parameter changes its name.

    True is torch's default mode. Another size or number of frames compiles again. Raises `InputError` for an
    unknown mode.
    """
    if mode is not True and mode not in MODES:
        raise InputError(f"compile is {mode!r}, it must be true, false or one of {', '.join(MODES)}.")
    network.compile(mode="default" if mode is True else mode)
