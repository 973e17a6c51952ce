"""The image model on every frame by itself: the floor that methods for clips stand on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.attention.patterns import per_frame
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.prediction import add_noise
from giftune.methods.base import OnProgress
from giftune.methods.workspace import Workspace, last_steps, noise_like, require_sampling
from giftune.unet.inflate import inflate, verify


class FrameWise:
    """No frame knows of another; satisfies `Editor`.

    `start` "noise": noise is added to each frame up to the level `strength`, as a share of the steps, and
    taken away again under the prompt (SDEdit, Meng et al. 2022; diffusers' image-to-image). "inversion": each
    frame is drawn from the noise that DDIM inversion finds for it (Song et al. 2021). Raises `InputError` for
    settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        start: Literal["noise", "inversion"] = "noise",
        strength: float = 0.75,
        num_steps: int = 50,
        guidance: float = 7.5,
        inversion_steps: int = 50,
        batch_size: int = 1,
        cache: str | Path | None = None,
    ) -> None:
        self.workspace = Workspace(backbone, cache)
        require_sampling(self.workspace, batch_size, num_steps, inversion_steps)
        self.part = last_steps(num_steps, strength) if start == "noise" else slice(None)
        self.start = start
        self.num_steps, self.guidance = num_steps, guidance
        self.inversion_steps, self.batch_size = inversion_steps, batch_size
        self.network = inflate(backbone.unet, per_frame, temporal=False)

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        verify(self.network)
        start = self._start(clip, generator, on_progress)
        plan = self.workspace.plan(self.network, self.guidance, start)
        yield from self.workspace.draw(
            clip, prompts, self.batch_size, self.num_steps, plan, on_progress, self.part
        )

    def _start(
        self, clip: Clip, generator: Generator, on_progress: OnProgress | None
    ) -> Float[Tensor, "1 c f h w"]:
        latents, _ = self.workspace.posterior(clip)
        if self.start == "inversion":
            return self.workspace.inverted(self.network, latents, self.inversion_steps, on_progress)
        schedule = self.workspace.schedule
        highest, _ = schedule.pairs(self.num_steps)[self.part][0]
        return add_noise(latents, noise_like(latents, generator), schedule.alpha_bar(torch.tensor([highest])))
