"""What a loss may read about one denoising step."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from jaxtyping import Float, Int
from torch import Tensor

from giftune.diffusion.prediction import to_x0
from giftune.diffusion.schedule import PredictionType


@dataclass(frozen=True, eq=False)
class DenoisingStep:
    """The network's view of a clip at one noise level: x_t, what it predicted, and what was true.

    `decode` turns latents "b c f h w" into frames "b f 3 h w" with gradients, for losses that look at pixels.
    `source` is the mean of what x0 is a sample of, the same in every step; None where x0 itself stays.
    """

    noisy: Float[Tensor, "b c f h w"]
    prediction: Float[Tensor, "b c f h w"]
    target: Float[Tensor, "b c f h w"]
    x0: Float[Tensor, "b c f h w"]
    t: Int[Tensor, "b"]
    alpha_bar: Float[Tensor, "b"]
    prediction_type: PredictionType
    decode: Callable[[Tensor], Tensor] | None = None
    source: Float[Tensor, "b c f h w"] | None = None

    @cached_property
    def x0_hat(self) -> Float[Tensor, "b c f h w"]:
        """The clean latents that the prediction implies."""
        return to_x0(self.prediction, self.noisy, self.alpha_bar, self.prediction_type)
