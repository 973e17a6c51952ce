"""Latents of clips that are encoded once, however often a clip returns."""

import torch
from jaxtyping import Float
from torch import Tensor

from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import Backbone
from giftune.io.digest import digest


class KeptLatents:
    """Mean and standard deviation, by what the clip shows; only the youngest `most_bytes` are remembered.

    Each clip is encoded by itself, so that what is remembered is what would be encoded again.
    """

    def __init__(self, backbone: Backbone, most_bytes: int = 1 << 30) -> None:
        self.backbone, self.most_bytes = backbone, most_bytes
        self._known: dict[str, Float[Tensor, "2 c f h w"]] = {}

    @torch.no_grad()
    def __call__(
        self, frames: Float[Tensor, "b f 3 H W"]
    ) -> tuple[Float[Tensor, "b c f h w"], Float[Tensor, "b c f h w"]]:
        mean, std = torch.stack([self._of(clip) for clip in frames], dim=1).to(self.backbone.device)
        return mean, std

    def _of(self, clip: Float[Tensor, "f 3 H W"]) -> Float[Tensor, "2 c f h w"]:
        name = digest([clip])
        found = self._known.pop(name, None)
        if found is None:
            posterior = encode(self.backbone.vae.to(self.backbone.device), clip)
            found = torch.stack([posterior.mean, posterior.std]).float().cpu()
        self._known[name] = found  # the youngest is the last
        while len(self._known) > 1 and len(self._known) * found.nbytes > self.most_bytes:
            del self._known[next(iter(self._known))]
        return found
