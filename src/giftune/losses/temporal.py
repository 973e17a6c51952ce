"""Consistency between consecutive frames."""

from einops import reduce
from jaxtyping import Float
from torch import Tensor, nn

from giftune.errors import InputError
from giftune.losses.step import DenoisingStep

MODES = ("match_source", "difference")


class TemporalConsistency(nn.Module):
    """Penalise the wrong change between consecutive predicted clean latents; our own definition.

    GIF-Tune's page names a temporal smoothing term without a formula and says that it minimises the
    difference between consecutive frames. That is `difference`, |x0_hat[i+1] - x0_hat[i]|^2, which rewards a
    frozen clip. The default `match_source` asks for the source's change instead:
    |(x0_hat[i+1] - x0_hat[i]) - (x0[i+1] - x0[i])|^2. Both are means, weighted by alpha_bar_t because x0_hat
    says nothing at high noise.
    """

    def __init__(self, mode: str = "match_source") -> None:
        super().__init__()
        if mode not in MODES:
            raise InputError(f"mode is {mode!r}, it must be one of {', '.join(MODES)}.")
        self.mode = mode

    def forward(self, step: DenoisingStep) -> Float[Tensor, ""]:
        change = step.x0_hat.diff(dim=2)
        if self.mode == "match_source":
            change = change - step.x0.diff(dim=2)
        return (step.alpha_bar * reduce(change.square(), "b c f h w -> b", "mean")).mean()
