"""A network that holds other weights for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def held_weights(network: nn.Module, weights: Mapping[str, Tensor]) -> Iterator[None]:
    """Inside, the named parameters are `weights`; nothing is copied, and no graph may span the border."""
    parameters = {name: network.get_parameter(name) for name in weights}
    own = {name: parameter.data for name, parameter in parameters.items()}
    try:
        for name, parameter in parameters.items():
            parameter.data = weights[name]
        yield
    finally:
        for name, parameter in parameters.items():
            parameter.data = own[name]
