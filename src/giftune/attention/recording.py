"""What layers put out during a pass of the network, for losses that look inside it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


@contextmanager
def recorded(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Tensor]]:
    """Inside, the last output of each module, with its gradient, under the module's name."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        return lambda module, given, output: outputs.__setitem__(name, output)

    handles = [module.register_forward_hook(keep(name)) for name, module in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
