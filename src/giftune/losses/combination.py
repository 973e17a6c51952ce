"""The training objective: a weighted sum of named losses."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError
from giftune.losses.step import DenoisingStep


class WeightedSum(nn.Module):
    """total = sum of weight * part; a part with weight 0 is not computed.

    Raises `InputError` for a negative weight and when nothing is left to minimise.
    """

    def __init__(self, parts: Mapping[str, tuple[nn.Module, float]]) -> None:
        super().__init__()
        for name, (_, weight) in parts.items():
            if weight < 0:
                raise InputError(f"loss.{name}.weight is {weight}, it must not be negative.")
        self.weights = {name: weight for name, (_, weight) in parts.items() if weight}
        self.parts = nn.ModuleDict({name: parts[name][0] for name in self.weights})
        if not self.parts:
            raise InputError(f"loss is {list(parts)}, no part of it has a positive weight.")

    def forward(self, step: DenoisingStep) -> tuple[Float[Tensor, ""], dict[str, Float[Tensor, ""]]]:
        """The sum, and the unweighted parts by name."""
        values = {name: part(step) for name, part in self.parts.items()}
        total = sum(self.weights[name] * value for name, value in values.items())
        assert isinstance(total, Tensor)
        return total, values
