"""Frames of one clip belong together, those of others apart: a contrast of the network's deepest features."""

from typing import Literal

import torch
from einops import reduce
from jaxtyping import Float
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from giftune.errors import InputError


class DecoupledContrastive(nn.Module):
    """L_DC = -<z1, z2> / tau + log sum over q of exp(<z1, z_q> / tau), for two frames of a noisy clip.

    z is the projection, of length 1, of the features h after the U-Net's middle block, averaged over space;
    the positive pair is not in the sum (HARIVO, Kwon et al. 2024, section 3.4, as others report it; Yeh et
    al. 2022). The widths of the projection and the length of the queue are not published: these are ours.

    `negatives` "clips": a queue of what was seen last, first in, first out, without gradient, which a step
    joins after its loss. With one clip there are no others: "bank" is a queue that only `fill` changes, as
    with the features of other prompts or other clips, and "none" leaves the sum out, with a stop-gradient on
    z2 and no projection, which could shrink everything to one point. Raises `InputError` for settings out of
    range.
    """

    queue: Tensor
    filled: Tensor

    def __init__(
        self,
        channels: int,
        negatives: Literal["clips", "bank", "none"] = "clips",
        queue_length: int = 1024,
        hidden: int = 512,
        width: int = 128,
        tau: float = 0.1,
    ) -> None:
        super().__init__()
        if tau <= 0 or queue_length < 1:
            raise InputError(f"tau is {tau} and queue_length {queue_length}, both must be positive.")
        self.negatives, self.queue_length, self.tau = negatives, queue_length, tau
        self.head: nn.Module = nn.Identity()
        if negatives != "none":
            self.head = nn.Sequential(nn.Linear(channels, hidden), nn.SiLU(), nn.Linear(hidden, width))
        self.register_buffer("queue", torch.zeros(queue_length, width))  # the newest at the end
        self.register_buffer("filled", torch.tensor(0))

    def forward(self, features: Float[Tensor, "b f c h w"], generator: Generator) -> Float[Tensor, ""]:
        """The mean over clips, of two frames that `generator` chooses in each; 0 for stills."""
        if features.shape[1] < 2:
            return 0 * features.sum()
        chosen = torch.stack([torch.randperm(features.shape[1], generator=generator)[:2] for _ in features])
        rows = torch.arange(len(features), device=features.device)
        first, second = (self.project(features[rows, i]) for i in chosen.to(features.device).unbind(dim=1))
        if self.negatives == "none":
            second = second.detach()
        loss = -(first * second).sum(dim=-1) / self.tau
        if self.negatives != "none" and len(others := self.others()):
            loss = loss + (first @ others.mT / self.tau).logsumexp(dim=-1)
        if self.negatives == "clips":
            self._join(first)
        return loss.mean()

    def fill(self, features: Float[Tensor, "b c h w"]) -> None:
        """Let the features of one frame of each of other clips join the queue."""
        self._join(self.project(features))

    def others(self) -> Float[Tensor, "n d"]:
        """What is in the queue now, the oldest first."""
        return self.queue[self.queue_length - int(self.filled) :].clone()

    def project(self, features: Float[Tensor, "b c h w"]) -> Float[Tensor, "b d"]:
        """z, of length 1."""
        return F.normalize(self.head(reduce(features.float(), "b c h w -> b c", "mean")), dim=-1)

    @torch.no_grad()
    def _join(self, projected: Float[Tensor, "b d"]) -> None:
        self.queue.copy_(torch.cat([self.queue, projected.to(self.queue)])[-self.queue_length :])
        self.filled.add_(len(projected)).clamp_(max=self.queue_length)
