"""GIF-Tune: a text-to-image model learns the motion of one clip, then draws it with another prompt.

With pooled norms and the reconstruction loss alone it is Tune-A-Video (Wu et al. 2023).
"""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from einops import repeat
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.attention.patterns import Pattern, sparse_causal
from giftune.backbone.latents import decode, encode
from giftune.backbone.stable_diffusion import Backbone
from giftune.backbone.text import encode_prompts
from giftune.clip import Clip
from giftune.diffusion.noise import independent
from giftune.diffusion.prediction import add_noise, target
from giftune.errors import InputError
from giftune.io.cache import cached
from giftune.io.digest import digest, fingerprint
from giftune.losses.step import DenoisingStep
from giftune.methods.base import OnProgress
from giftune.methods.denoiser import denoiser
from giftune.sampling.inversion import invert
from giftune.sampling.sampler import Denoise, sample
from giftune.unet.inflate import inflate, verify
from giftune.unet.trainable import SUFFIXES, select_trainable
from giftune.unet.weights import load_weights, save_weights


class TuningBatch(NamedTuple):
    """The posterior of the source latents, and its caption."""

    mean: Float[Tensor, "b c f h w"]
    std: Float[Tensor, "b c f h w"]
    text: Float[Tensor, "b n d"]


class GifTune:
    """Inflates the backbone's U-Net in place; satisfies `Tunable`.

    `posterior` "sample" tunes on a fresh sample of the source's latents in each step, "mean" on their mean,
    from which inversion always starts. With `inversion_steps` None an edit starts from plain noise, the same
    for all prompts. `cache` is a folder for encoded and inverted latents. Without `temporal` nothing of that
    name is trained; `frozen` names parts of the U-Net that keep their weights. Raises `InputError` for
    settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        pattern: Pattern = sparse_causal,
        temporal: bool = True,
        norm: str = "per_frame",
        trainable: Sequence[str] = SUFFIXES,
        frozen: Sequence[str] = (),
        posterior: str = "sample",
        gradient_checkpointing: bool = False,
        num_steps: int = 50,
        guidance: float = 7.5,
        inversion_steps: int | None = 50,
        batch_size: int = 1,
        seed: int = 0,
        cache: str | Path | None = None,
    ) -> None:
        if posterior not in ("sample", "mean"):
            raise InputError(f"posterior is {posterior!r}, it must be 'sample' or 'mean'.")
        if batch_size < 1:
            raise InputError(f"batch_size is {batch_size}, it must be at least 1.")
        for steps in (num_steps, inversion_steps or 1):
            backbone.schedule.timesteps(steps)  # refuses what the schedule cannot be cut into
        self.backbone, self.schedule = backbone, backbone.schedule
        self.device, self.dtype = backbone.device, backbone.dtype
        self.posterior, self.num_steps, self.guidance = posterior, num_steps, guidance
        self.inversion_steps, self.batch_size = inversion_steps, batch_size
        self.cache = None if cache is None else Path(cache)
        self._base = fingerprint(backbone.unet)
        with torch.random.fork_rng(devices=[]):  # new layers draw their weights from the global generator
            torch.manual_seed(seed)
            self.network = inflate(backbone.unet, pattern, temporal, norm)  # type: ignore[arg-type]
        chosen = [suffix for suffix in trainable if temporal or suffix != "temporal"]
        self._names = select_trainable(self.network, chosen, frozen)
        for parameter in self.network.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        if gradient_checkpointing:
            self.network.enable_gradient_checkpointing()

    def trainable(self) -> list[str]:
        return self._names

    def prepare(self, clip: Clip, caption: str) -> TuningBatch:
        """Latents and text, encoded once; what encoded them then leaves the GPU."""
        if self.dtype == torch.float16:
            raise InputError("backbone.dtype is float16, too narrow to tune in; use bfloat16 or float32.")
        verify(self.network)
        batch = TuningBatch(*self._posterior(clip), self._text([caption]))
        self.backbone.vae.to("cpu")
        self.backbone.text_encoder.to("cpu")
        return batch

    def step(self, batch: TuningBatch, generator: Generator) -> DenoisingStep:
        """Predict the noise of the clip at one random timestep, with independent noise for each frame."""
        mean, std, text = batch
        t = torch.randint(self.schedule.num_train_timesteps, mean.shape[:1], generator=generator).to(
            mean.device
        )
        noise = _noise_like(mean, generator)
        x0 = mean + std * _noise_like(mean, generator) if self.posterior == "sample" else mean
        alpha_bar = self.schedule.alpha_bar(t)
        noisy = add_noise(x0, noise, alpha_bar)
        prediction = self._predict(noisy, t, text)
        kind = self.schedule.prediction_type
        truth = target(x0, noise, alpha_bar, kind)
        return DenoisingStep(noisy, prediction, truth, x0, t, alpha_bar, kind, self._decode, mean)

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """`batch_size` prompts at a time, both branches of the guidance in one pass of the network."""
        verify(self.network)
        self.network.to(self.device)
        start = self._start(clip, generator, on_progress)
        batches = [prompts[i : i + self.batch_size] for i in range(0, len(prompts), self.batch_size)]
        for index, batch in enumerate(batches):
            done, total = index * self.num_steps, len(batches) * self.num_steps

            def on_step(step: int, _: Tensor, done: int = done, total: int = total) -> None:
                if on_progress:
                    on_progress("sampling", done + step, total)

            denoise = self._denoiser(batch, self.guidance)
            noise = repeat(start, "1 c f h w -> b c f h w", b=len(batch))
            latents = sample(denoise, noise, self.schedule, self.num_steps, on_step)
            for frames in self._decode(latents):
                yield clip.with_frames(frames.float().cpu())

    def quick(self) -> "GifTune":
        """Few steps, and no cache: an inversion with weights of the moment is of no use later."""
        other = copy.copy(self)
        other.cache, other.num_steps = None, min(10, self.num_steps)
        other.inversion_steps = self.inversion_steps and other.num_steps
        return other

    def save(self, path: Path, **facts: Any) -> None:
        metadata = {**facts, "base": self.backbone.source, **self._identity()}
        unet = self.network.unet  # so that the keys in the file are diffusers' own
        names = [name for name, parameter in unet.named_parameters() if parameter.requires_grad]
        save_weights(unet, names, path, metadata)

    def load(self, path: Path) -> None:
        load_weights(self.network.unet, path, self._identity())

    def _identity(self) -> dict[str, Any]:
        return {"base_fingerprint": self._base, **self.network.architecture}

    def _start(
        self, clip: Clip, generator: Generator, on_progress: OnProgress | None
    ) -> Float[Tensor, "1 c f h w"]:
        """Noise that leads back to the clip (DDIM inversion with an empty prompt), or plain noise."""
        latents, _ = self._posterior(clip)
        steps = self.inversion_steps
        if steps is None:
            return _noise_like(latents, generator)

        def on_step(step: int, _: Tensor) -> None:
            if on_progress:
                on_progress("inverting", step, steps)

        def compute() -> dict[str, Tensor]:
            return {"latents": invert(self._denoiser([""]), latents, self.schedule, steps, on_step)}

        if self.cache is None:
            return compute()["latents"]
        folder = self.cache / "inversions"
        return cached(folder, self._inversion_key(latents, steps), compute)["latents"].to(self.device)

    def _posterior(self, clip: Clip) -> tuple[Float[Tensor, "1 c f h w"], Float[Tensor, "1 c f h w"]]:
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

    def _inversion_key(self, latents: Tensor, steps: int) -> dict[str, str]:
        """Everything that the inverted latents depend on."""
        tuned = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        schedule = [self.schedule.alphas_cumprod, self.schedule.final_alpha_cumprod]
        return {
            "latents": digest([latents]),
            "weights": digest(tuned),
            "text": digest([self._text([""])]),
            "schedule": f"{digest(schedule)} {self.schedule.prediction_type} {self.schedule.steps_offset}",
            "steps": str(steps),
            **{name: str(value) for name, value in self._identity().items()},
        }

    def _denoiser(self, prompts: Sequence[str], guidance: float = 1.0) -> Denoise:
        return denoiser(self._predict, self.schedule, self._text(prompts), self._text([""]), guidance)

    def _predict(
        self, latents: Float[Tensor, "b c f h w"], t: int | Tensor, text: Float[Tensor, "b n d"]
    ) -> Float[Tensor, "b c f h w"]:
        """Frozen tensors may be of half the width; what is tuned, and what comes out, is float32."""
        with torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            return self.network(latents, t, text).float()

    def _text(self, prompts: Sequence[str]) -> Float[Tensor, "b n d"]:
        encoder = self.backbone.text_encoder.to(self.device)
        return encode_prompts(self.backbone.tokenizer, encoder, prompts).float()

    def _decode(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b f 3 H W"]:
        return decode(self.backbone.vae.to(self.device), latents)


def _noise_like(latents: Float[Tensor, "b c f h w"], generator: Generator) -> Float[Tensor, "b c f h w"]:
    b, c, f, h, w = latents.shape
    return independent((b, c, f, h, w), generator, latents.device)
