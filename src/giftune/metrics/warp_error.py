"""Warp error: does the edit move as the source moves?"""

from einops import reduce
from jaxtyping import Float
from torch import Tensor

from giftune.metrics._require import require_frames, require_pair, require_truth
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.flow_network import FlowNetwork
from giftune.metrics.warping import reverse, visible, warp


def warp_error(
    frames: Float[Tensor, "f 3 h w"],
    forward: Float[Tensor, "pairs 2 h w"],
    backward: Float[Tensor, "pairs 2 h w"],
) -> Float[Tensor, ""]:
    """E_warp of Lai et al. 2018: mean over pairs of |V_t - W(V_t+1, f_t)|^2 over the pixels visible in both.

    Pictures count in [0, 1], channels are averaged; a pair in which nothing is visible counts all its pixels.
    """
    difference = (frames[:-1] - warp(frames[1:], forward)) / 2
    error = reduce(difference.square(), "n c h w -> n h w", "mean")
    mask = visible(forward, backward)
    mask = mask | ~mask.any(dim=2, keepdim=True).any(dim=1, keepdim=True)
    return ((error * mask).sum(dim=(1, 2)) / mask.sum(dim=(1, 2))).mean()


class WarpError(ClipMean):
    """1000 x E_warp of the edit along the flow of the source, as RAFT sees it both ways."""

    higher_is_better = False
    unit = "1e-3"

    def __init__(self, flow_network: FlowNetwork) -> None:
        super().__init__()
        self.flow_network, self.backbone = flow_network, f"{flow_network.name} on the source"

    def update(self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."]) -> None:
        require_pair(source, edited, least=2)
        flows = self.flow_network.forward(source), self.flow_network.backward(source)
        self.record(1000 * warp_error(edited, *flows))


class TrueWarpError(ClipMean):
    """1000 x E_warp of the edit along the true flow of the source, whose reverse follows from it."""

    higher_is_better = False
    unit = "1e-3"
    backbone = "true flow"

    def update(self, edited: Float[Tensor, "..."], flow: Float[Tensor, "..."]) -> None:
        require_frames("edited", edited, least=2)
        require_truth("flow", flow, (len(edited) - 1, 2, *edited.shape[2:]))
        self.record(1000 * warp_error(edited, flow, reverse(flow)))
