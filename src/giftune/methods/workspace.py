"""A backbone at work on clips: what it encodes and inverts is remembered, what it samples is handed out."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from einops import repeat
from jaxtyping import Float, Int
from torch import Generator, Tensor

from giftune.backbone.latents import decode, encode
from giftune.backbone.stable_diffusion import Backbone
from giftune.backbone.text import embed_words, encode_prompts
from giftune.clip import Clip
from giftune.diffusion.noise import independent
from giftune.errors import InputError
from giftune.io.cache import cached
from giftune.io.digest import digest, fingerprint
from giftune.methods.base import OnProgress
from giftune.methods.controlled import Controlled
from giftune.methods.denoiser import Network, denoiser
from giftune.sampling.sampler import Denoise, OnStep, sample
from giftune.sampling.solvers import DDIM, Solver
from giftune.unet.video_unet import VideoUNet
from giftune.unet.windowed import WindowedUNet

# For a batch of prompts: how to denoise, and the latents from which to start.
Plan = Callable[[Sequence[str]], tuple[Denoise, Float[Tensor, "b c f h w"]]]


class Workspace:
    """`cache` is a folder for encoded and inverted latents; without it nothing is remembered.

    With `words` texts are twice as wide: what they were encoded to, then their words (`embed_words`).
    """

    def __init__(self, backbone: Backbone, cache: str | Path | None = None, words: bool = False) -> None:
        self.backbone, self.schedule = backbone, backbone.schedule
        self.device, self.dtype = backbone.device, backbone.dtype
        self.fingerprint = fingerprint(backbone.unet)
        self.cache = None if cache is None else Path(cache)
        self.words = words

    def posterior(self, clip: Clip) -> tuple[Float[Tensor, "1 c f h w"], Float[Tensor, "1 c f h w"]]:
        """Mean and standard deviation of the clip's latents."""

        def compute() -> dict[str, Tensor]:
            posterior = encode(self.backbone.vae.to(self.device), clip.frames)
            return {"mean": posterior.mean[None].float(), "std": posterior.std[None].float()}

        vae = self.backbone.vae
        key = {
            "clip": clip.content_hash(),
            "autoencoder": f"{fingerprint(vae)} {vae.dtype}",
            "scale": f"{vae.config.scaling_factor} {vae.config.shift_factor}",
            "device": self.device.type,
        }
        found = cached(self.cache and self.cache / "latents", key, compute)
        return found["mean"].to(self.device), found["std"].to(self.device)

    def text(self, prompts: Sequence[str]) -> Float[Tensor, "b n d"]:
        encoder = self.backbone.text_encoder.to(self.device)
        encoded = encode_prompts(self.backbone.tokenizer, encoder, prompts).float()
        if not self.words:
            return encoded
        return torch.cat([encoded, embed_words(self.backbone.tokenizer, encoder, prompts).float()], dim=-1)

    def decode(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b f 3 H W"]:
        return decode(self.backbone.vae.to(self.device), latents)

    def predict(
        self,
        network: Network,
        latents: Float[Tensor, "b c f h w"],
        t: int | Int[Tensor, "*b"],
        text: Float[Tensor, "b n d"],
    ) -> Float[Tensor, "b c f h w"]:
        """Frozen tensors may be of half the width; what is tuned, and what comes out, is float32."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return network(latents, t, text).float()

    def denoiser(self, network: Network, prompts: Sequence[str], guidance: float = 1.0) -> Denoise:
        """How `network` denoises latents of a clip for each prompt; scale 1 is without guidance."""
        text, empty = self.text(prompts), self.text([""])
        return denoiser(partial(self.predict, network), self.schedule, text, empty, guidance)

    def plan(self, network: Network, guidance: float, start: Float[Tensor, "1 c f h w"]) -> Plan:
        """For `draw`: every prompt is guided alike, and starts from the same latents."""

        def of(prompts: Sequence[str]) -> tuple[Denoise, Tensor]:
            starts = repeat(start, "1 c f h w -> b c f h w", b=len(prompts))
            return self.denoiser(network, prompts, guidance), starts

        return of

    def release(self) -> None:
        """What encodes leaves the GPU; it comes back by itself when it is needed again."""
        self.backbone.vae.to("cpu")
        self.backbone.text_encoder.to("cpu")

    def inverted(
        self,
        network: VideoUNet | WindowedUNet | Controlled,
        latents: Float[Tensor, "1 c f h w"],
        num_steps: int,
        on_progress: OnProgress | None = None,
        at: Sequence[int] = (),
        solver: Solver = DDIM,
    ) -> Float[Tensor, "s c f h w"]:
        """Where the inversion of `solver` by `network` under the empty prompt leads, s = 1.

        With `at` what it passes on the way: the latents at each of these timesteps, which must be its own.
        """
        levels = [t for t, _ in reversed(self.schedule.pairs(num_steps))]
        passed: dict[int, Tensor] = {}

        def on_step(step: int, reached: Tensor) -> None:
            if levels[step - 1] in at:
                passed[levels[step - 1]] = reached
            if on_progress:
                on_progress("inverting", step, num_steps)

        def compute() -> dict[str, Tensor]:
            end = solver.invert(self.denoiser(network, [""]), latents, self.schedule, num_steps, on_step)
            return {"latents": torch.cat([passed[t] for t in at]) if at else end}

        schedule = [self.schedule.alphas_cumprod, self.schedule.final_alpha_cumprod]
        key = {
            "latents": digest([latents]),
            "schedule": f"{digest(schedule)} {self.schedule.prediction_type} {self.schedule.steps_offset}",
            "steps": str(num_steps),
            **({"at": str(list(at))} if at else {}),
            **({"solver": solver.name} if solver != DDIM else {}),
            **self._identity(network),
        }
        found = cached(self.cache and self.cache / "inversions", key, compute)
        return found["latents"].to(self.device)

    def _identity(self, network: VideoUNet | WindowedUNet | Controlled) -> dict[str, str]:
        """What the predictions of `network` for the empty prompt depend on."""
        return {
            "base_fingerprint": self.fingerprint,
            "weights": digest(parameter for parameter in network.parameters() if parameter.requires_grad),
            "dtype": str(self.dtype),
            "text": digest([self.text([""])]),
            **{name: str(value) for name, value in network.architecture.items()},
        }

    @torch.no_grad()
    def draw(
        self,
        clip: Clip,
        prompts: Sequence[str],
        batch_size: int,
        num_steps: int,
        plan: Plan,
        on_progress: OnProgress | None = None,
        part: slice = slice(None),
        sampler: Callable[..., Tensor] = sample,
    ) -> Iterator[Clip]:
        """One clip with the timing of `clip` per prompt, `batch_size` at a time; `part` is of the steps."""
        batches = [prompts[i : i + batch_size] for i in range(0, len(prompts), batch_size)]
        steps = len(self.schedule.pairs(num_steps)[part])
        for index, batch in enumerate(batches):
            on_step = _reporter(on_progress, index * steps, len(batches) * steps)
            denoise, start = plan(batch)
            latents = sampler(denoise, start, self.schedule, num_steps, on_step, part)
            for frames in self.decode(latents):
                yield clip.with_frames(frames.float().cpu())


def noise_like(latents: Float[Tensor, "b c f h w"], generator: Generator) -> Float[Tensor, "b c f h w"]:
    """Independent noise, the same for a seed on every device."""
    b, c, f, h, w = latents.shape
    return independent((b, c, f, h, w), generator, latents.device)


def require_sampling(workspace: Workspace, batch_size: int, *num_steps: int) -> None:
    """Raise `InputError` unless the schedule can be cut into so many steps, and a batch holds a prompt."""
    if batch_size < 1:
        raise InputError(f"batch_size is {batch_size}, it must be at least 1.")
    for steps in num_steps:
        workspace.schedule.timesteps(steps)


def last_steps(num_steps: int, strength: float) -> slice:
    """Those of `num_steps` that are left to go when noise is added up to the share `strength` of them.

    Raises `InputError` for a share that is none, or leaves no step.
    """
    steps = int(num_steps * strength)
    if not 0 < strength <= 1 or steps < 1:
        raise InputError(
            f"strength is {strength}, it must be at most 1 and leave at least one of {num_steps} steps."
        )
    return slice(num_steps - steps, None)


def _reporter(on_progress: OnProgress | None, done: int, total: int) -> OnStep:
    def on_step(step: int, _: Tensor) -> None:
        if on_progress:
            on_progress("sampling", done + step, total)

    return on_step
