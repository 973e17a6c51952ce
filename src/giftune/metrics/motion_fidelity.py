"""Motion fidelity: is the motion of the source still there?"""

from jaxtyping import Float
from torch import Tensor

from giftune.metrics._require import require_pair
from giftune.metrics.clip_mean import ClipMean
from giftune.metrics.flow_network import FlowNetwork


def end_point_error(flow: Float[Tensor, "n 2 h w"], truth: Float[Tensor, "n 2 h w"]) -> Float[Tensor, ""]:
    """Mean length of the difference, in pixels."""
    return (flow - truth).norm(dim=1).mean()


class MotionFidelity(ClipMean):
    """End-point error of the edit's flow against the source's; minus V2VBench's motion alignment."""

    higher_is_better = False
    unit = "px"

    def __init__(self, flow_network: FlowNetwork) -> None:
        super().__init__()
        self.flow_network, self.backbone = flow_network, flow_network.name

    def update(self, source: Float[Tensor, "..."], edited: Float[Tensor, "..."]) -> None:
        require_pair(source, edited, least=2)
        self.record(end_point_error(self.flow_network.forward(edited), self.flow_network.forward(source)))
