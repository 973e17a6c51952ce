"""A monocular depth network as metrics and losses see it."""

from collections.abc import Sequence

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate


class DepthNetwork(nn.Module):
    """Frames in [-1, 1] to relative inverse depth (large is near), with gradients to the frames only.

    `model` is a DPTForDepthEstimation (Ranftl et al. 2021); frames are stretched to its own `size` first. The
    depth has an unknown scale and shift.
    """

    def __init__(
        self, model: nn.Module, size: tuple[int, int], mean: Sequence[float], std: Sequence[float], name: str
    ) -> None:
        super().__init__()
        self.model, self.size, self.name = model.eval().requires_grad_(False), size, name
        self.mean: Tensor
        self.std: Tensor
        for key, values in (("mean", mean), ("std", std)):
            self.register_buffer(key, rearrange(torch.tensor(tuple(values)), "c -> c 1 1"), persistent=False)

    def train(self, mode: bool = True) -> "DepthNetwork":
        """It stays frozen in evaluation mode, whatever it is a part of."""
        return super().train(False)

    def forward(self, frames: Float[Tensor, "f 3 h w"]) -> Float[Tensor, "f H W"]:
        """At the network's own resolution, so that a loss pays for nothing else."""
        if tuple(frames.shape[-2:]) != self.size:  # bicubic overshoots, and Pillow cuts that off
            frames = interpolate(frames, self.size, mode="bicubic", antialias=True).clamp(-1, 1)
        return self.model(pixel_values=((frames + 1) / 2 - self.mean) / self.std).predicted_depth

    @torch.no_grad()
    def measure(self, frames: Float[Tensor, "f 3 h w"], chunk: int = 8) -> Float[Tensor, "f h w"]:
        """At the resolution of the frames, on the CPU, without gradients and few frames at a time."""
        parts = [self(part).cpu() for part in frames.to(self.mean.device).split(chunk)]
        depth = rearrange(torch.cat(parts), "f h w -> f 1 h w")
        return rearrange(interpolate(depth, frames.shape[-2:], mode="bicubic"), "f 1 h w -> f h w")
