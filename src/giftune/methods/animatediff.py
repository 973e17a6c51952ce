"""AnimateDiff (Guo et al. 2024) and AnimateLCM (Wang et al. 2024): learnt motion for an image model."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from einops import repeat
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.backbone.motion_adapter import load_motion_unet
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.lcm import lcm_timesteps
from giftune.diffusion.prediction import add_noise
from giftune.diffusion.schedule import Schedule
from giftune.errors import InputError
from giftune.methods.base import OnProgress
from giftune.methods.workspace import Workspace, last_steps, noise_like, require_sampling
from giftune.sampling.lcm import sample_lcm
from giftune.sampling.sampler import sample

# That of the motion modules, not of the image model (the released configs/inference).
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear", "steps_offset": 1}


class AnimateDiff:
    """The image model with a motion adapter; satisfies `Editor`.

    `adapter` is a folder or a hub id, `lora` a file in it that belongs to the adapter, as AnimateLCM's.
    `form` "generate" is text-to-video, which takes only size and timing from the source. "edit" is
    video-to-video: the source, noised up to the share `strength` of the steps, is denoised under the prompt.
    `sampler` "lcm" is for adapters that are consistency models. Raises `InputError` for settings out of
    range and for an adapter that does not fit the backbone.
    """

    def __init__(
        self,
        backbone: Backbone,
        adapter: str | Path,
        lora: str | None = None,
        lora_scale: float = 0.8,
        sampler: Literal["ddim", "lcm"] = "ddim",
        form: Literal["generate", "edit"] = "generate",
        strength: float = 0.8,
        num_steps: int = 50,
        guidance: float = 7.5,
        batch_size: int = 1,
        cache: str | Path | None = None,
    ) -> None:
        schedule = Schedule.from_config({**NOISE, "prediction_type": backbone.schedule.prediction_type})
        self.workspace = Workspace(replace(backbone, schedule=schedule), cache)
        require_sampling(self.workspace, batch_size, num_steps)
        lcm = lcm_timesteps(schedule.num_train_timesteps, num_steps) if sampler == "lcm" else None
        self.part = last_steps(num_steps, strength) if form == "edit" else slice(None)
        self.form, self.sampler = form, sampler
        self.timesteps = (lcm or schedule.timesteps(num_steps).tolist())[self.part]
        self.num_steps, self.guidance, self.batch_size = num_steps, guidance, batch_size
        self.network = load_motion_unet(backbone, adapter, lora, lora_scale)

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """All prompts start from the same noise, and get the same fresh noise between the steps."""
        most = self.network.config.motion_max_seq_length
        if len(clip) > most:
            raise InputError(
                f"data.num_frames is {len(clip)}, but the motion adapter knows at most {most} frames."
            )
        start = self._start(clip, generator)
        run: Callable[..., Tensor] = sample
        if self.sampler == "lcm":
            run = partial(sample_lcm, fresh=[noise_like(start, generator) for _ in self.timesteps[1:]])
        plan = self.workspace.plan(self._predict, self.guidance, start)
        yield from self.workspace.draw(
            clip, prompts, self.batch_size, self.num_steps, plan, on_progress, self.part, run
        )

    def _start(self, clip: Clip, generator: Generator) -> Float[Tensor, "1 c f h w"]:
        latents, _ = self.workspace.posterior(clip)
        noise = noise_like(latents, generator)
        if self.form == "generate":
            return noise
        return add_noise(latents, noise, self.workspace.schedule.alpha_bar(self.timesteps[0]))

    def _predict(
        self, latents: Float[Tensor, "b c f h w"], t: int, text: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b c f h w"]:
        text = repeat(text, "b n d -> (b f) n d", f=latents.shape[2])
        return self.network(latents, t, encoder_hidden_states=text).sample
