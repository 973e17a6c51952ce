"""What a network has learnt: the state that a checkpoint needs."""

from collections.abc import Collection

from torch import Tensor, nn


def learnt_state(network: nn.Module, trainable: Collection[str]) -> dict[str, Tensor]:
    """The parameters of these names, and the buffers of all modules in which every parameter learns.

    So the running means of a batch norm that learns, or a queue of a head that does, are resumed as well.
    """
    learning, persistent = set(trainable), network.state_dict().keys()
    parameters, buffers = dict(network.named_parameters()), dict(network.named_buffers())
    state = {name: parameters[name].detach() for name in trainable}
    for path, module in network.named_modules():
        prefix = f"{path}." if path else ""
        own = {f"{prefix}{name}" for name, _ in module.named_parameters()}
        if own and own <= learning:
            found = (f"{prefix}{name}" for name, _ in module.named_buffers())
            state |= {name: buffers[name] for name in found if name in persistent}
    return state
