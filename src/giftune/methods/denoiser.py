"""From a video network and a prompt to what the sampler calls."""

from collections.abc import Callable
from typing import Any

import torch
from einops import repeat
from jaxtyping import Float
from torch import Tensor

from giftune.diffusion.guidance import guided
from giftune.diffusion.prediction import to_epsilon
from giftune.diffusion.schedule import Schedule
from giftune.sampling.sampler import Denoise

# From latents "b c f h w", timestep and text "b n d" to the prediction.
Network = Callable[[Tensor, Any, Tensor], Tensor]


def denoiser(
    network: Network,
    schedule: Schedule,
    text: Float[Tensor, "b n d"],
    empty: Float[Tensor, "1 n d"] | None = None,
    guidance: float = 1.0,
) -> Denoise:
    """Epsilon of each clip under its text; with guidance both branches go through the network in one pass.

    Scale 1 is the conditional prediction, so that `empty`, the text of the other branch, is not needed then.
    """
    if guidance == 1:
        return lambda latents, t: _epsilon(network(latents, t, text), latents, t, schedule)
    assert empty is not None, "guidance needs the empty prompt"
    both = torch.cat([empty.expand_as(text), text])

    def denoise(latents: Tensor, t: int) -> Tensor:
        unconditional, conditional = network(repeat(latents, "b ... -> (two b) ...", two=2), t, both).chunk(2)
        return _epsilon(guided(unconditional, conditional, guidance), latents, t, schedule)

    return denoise


def _epsilon(output: Tensor, latents: Tensor, t: int, schedule: Schedule) -> Tensor:
    return to_epsilon(output.float(), latents, schedule.alpha_bar(t), schedule.prediction_type)
