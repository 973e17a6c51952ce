"""Results remembered for as long as the tensor they were computed from lives."""

from collections.abc import Callable, Hashable
from typing import TypeVar

from torch import Tensor
from torch.utils.weak import WeakTensorKeyDictionary

Result = TypeVar("Result")


class Memory:
    """Several metrics ask a network for the same frames; only the first pays.

    Tensors are told apart by identity, so the memory ends with the tensor, and by version, so that a tensor
    changed in place counts as another one.
    """

    def __init__(self) -> None:
        self._results = WeakTensorKeyDictionary()

    def recall(self, tensor: Tensor, key: Hashable, compute: Callable[[], Result]) -> Result:
        if tensor.is_inference():  # has no version
            return compute()
        results = self._results.setdefault(tensor, {})
        versioned = (tensor._version, key)
        if versioned not in results:
            results[versioned] = compute()
        return results[versioned]
