"""An optical flow network as the metrics see it."""

import math

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from giftune.metrics._memory import Memory

MULTIPLE, LEAST = 8, 128  # of the sides that torchvision's RAFT takes


class FlowNetwork:
    """Pairs of frames in [-1, 1] to the flow of the first to the second: (x, y) in pixels, on the CPU.

    `model` is one of torchvision's RAFT (Teed and Deng 2020): its last refinement counts. Frames are
    stretched to sides that it takes, and the flow is scaled back.
    """

    def __init__(self, model: nn.Module, name: str, device: torch.device) -> None:
        self.model, self.name, self.device = model.eval().requires_grad_(False).to(device), name, device
        self._memory = Memory()

    def forward(self, frames: Float[Tensor, "f 3 h w"]) -> Float[Tensor, "pairs 2 h w"]:
        """From each frame to the next."""
        return self._memory.recall(frames, "forward", lambda: self.between(frames[:-1], frames[1:]))

    def backward(self, frames: Float[Tensor, "f 3 h w"]) -> Float[Tensor, "pairs 2 h w"]:
        """From each frame but the first to the one before."""
        return self._memory.recall(frames, "backward", lambda: self.between(frames[1:], frames[:-1]))

    @torch.no_grad()
    def between(
        self, first: Float[Tensor, "n 3 h w"], second: Float[Tensor, "n 3 h w"]
    ) -> Float[Tensor, "n 2 h w"]:
        h, w = first.shape[-2:]
        size = [max(LEAST, math.ceil(side / MULTIPLE) * MULTIPLE) for side in (h, w)]
        flows = []
        for pair in zip(
            first.to(self.device), second.to(self.device), strict=True
        ):  # one: RAFT needs much memory
            a, b = (interpolate(rearrange(x, "c h w -> 1 c h w"), size, mode="bilinear") for x in pair)
            flow = interpolate(self.model(a, b)[-1], (h, w), mode="bilinear").cpu()
            flows.append(flow * rearrange(torch.tensor([w / size[1], h / size[0]]), "c -> c 1 1"))
        return torch.cat(flows)
