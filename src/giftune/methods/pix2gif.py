"""Pix2Gif (Kandala et al. 2024): a picture, a text and a magnitude of motion make a GIF."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.backbone.decoder_features import DecoderFeatures
from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.guidance import guided_by_two
from giftune.diffusion.noise import independent, shared
from giftune.diffusion.prediction import add_noise, target, to_epsilon
from giftune.diffusion.timesteps import draw_timesteps
from giftune.errors import InputError
from giftune.losses.latent_perceptual import Features, LatentPerceptual
from giftune.methods._pair_batch import PairBatch, PairDrawer, captioned
from giftune.methods._pix2gif_weights import load, pix2gif_unet, save, start_from, trainable_names
from giftune.methods.base import Example, OnProgress
from giftune.methods.motion_pairs import motion_range as as_range
from giftune.methods.motion_schedule import motion_schedule
from giftune.methods.workspace import Workspace, require_sampling
from giftune.metrics.features import load_latent_vgg
from giftune.sampling.sampler import Denoise
from giftune.unet.pix2gif_unet import Conditions, Join


class Parts(NamedTuple):
    """What a variant of the paper's ablation has."""

    embedding: bool
    join: Join
    perceptual: bool


VARIANTS = {
    "base": Parts(False, "source", False),
    "motion_embed": Parts(True, "source", False),
    "warp": Parts(True, "warped", False),
    "warp_add": Parts(True, "sum", False),
    "warp_concat": Parts(True, "both", False),
    "full": Parts(True, "both", True),
}


class Pix2Gif:
    """Learns from pairs of frames of many clips, then draws every frame from one picture; changes the U-Net.

    Satisfies `Learner` and `Editor`, which takes the first frame of its clip for the picture. `variant` is
    one of `VARIANTS`. `flow` "absolute" is the published warp, "residual" ours. `perceptual` names the
    network of the perceptual loss: the published VGG-19, fetched with `download`, or the autoencoder's own
    decoder, which is ours. `perceptual_to` says what the warped picture shall look like: the source as in the
    program, or the target as in the paper's abstract. `checked_motion` learns from pairs whose motion is
    found there and back alone, and `timestep_power` more from high noise, both ours. `sentence` says the
    motion after the caption, as {number}. `trainable` None is the whole U-Net; with names of its parts these
    alone learn, besides all that is new. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        weights: str | Path | None = None,
        variant: str = "full",
        flow: Literal["absolute", "residual"] = "residual",
        reach: float = 0.5,
        flow_width: int = 64,
        perceptual: Literal["vgg19", "decoder"] = "decoder",
        perceptual_to: Literal["source", "target"] = "source",
        perceptual_weight: float = 0.01,
        motion_range: Sequence[int] = (2, 20),
        sentence: str = " The optical flow is {number}.",
        embedding_gain: float = 1.0,
        pairs_per_clip: int = 1,
        checked_motion: bool = False,
        flip: bool = True,
        dropout: float = 0.05,
        timestep_power: float = 1.0,
        trainable: Sequence[str] | None = None,
        motion: int = 19,
        schedule: str = "even",
        same_noise: bool = True,
        num_steps: int = 50,
        guidance: float = 7.5,
        image_guidance: float = 1.8,
        gradient_checkpointing: bool = False,
        download: bool = False,
        seed: int = 0,
        cache: str | Path | None = None,
    ) -> None:
        if variant not in VARIANTS:
            raise InputError(f"variant is {variant!r}, it must be one of {', '.join(VARIANTS)}.")
        self.workspace, self.backbone = Workspace(backbone, cache), backbone
        require_sampling(self.workspace, 1, num_steps)
        self.schedule, self.device, self.dtype = backbone.schedule, backbone.device, backbone.dtype
        self.parts, self.perceptual, self.perceptual_weight = VARIANTS[variant], perceptual, perceptual_weight
        self.allowed = as_range(motion_range)
        self.sentence, self.motion, self.frames_motion = sentence, motion, schedule
        self.same_noise, self.num_steps = same_noise, num_steps
        self.perceptual_to, self.timestep_power = perceptual_to, timestep_power
        self.guidance, self.image_guidance, self.download = guidance, image_guidance, download
        captioned("", sentence, 0)
        draw_timesteps(0, 1, Generator(), timestep_power)
        self._draw_pairs = PairDrawer(self.allowed, pairs_per_clip, checked_motion, sentence, flip, dropout)
        gain = embedding_gain if self.parts.embedding else None
        self.network = pix2gif_unet(backbone, gain, self.parts.join, flow_width, flow, reach, seed)
        self._names = trainable_names(self.network, trainable)
        self._identity = {
            "base_fingerprint": self.workspace.fingerprint, "method": "pix2gif", "variant": variant,
            "flow": flow, "reach": reach, "flow_width": flow_width, "sentence": sentence,
            "embedding_gain": embedding_gain, "trainable": None if trainable is None else list(trainable),
        }  # fmt: skip
        self._perceptual: LatentPerceptual | None = None
        if gradient_checkpointing:
            self.network.unet.enable_gradient_checkpointing()
        if weights is not None:
            self.load(weights)

    def trainable(self) -> list[str]:
        return self._names

    def collate(self, examples: Sequence[Example], generator: Generator) -> PairBatch:
        """Pairs of frames that move as much as is to be learnt, with the motion measured between them."""
        return self._draw_pairs(examples, generator)

    def losses(self, batch: PairBatch, generator: Generator) -> dict[str, tuple[Tensor, float]]:
        """The target's noise predicted from the source, and whether the warp keeps what it moves."""
        if self.dtype == torch.float16:
            raise InputError("backbone.dtype is float16, too narrow to train in; use bfloat16 or float32.")
        self.network.train()
        source, x0 = self._encoded(batch, generator)
        total = self.schedule.num_train_timesteps
        t = draw_timesteps(len(x0), total, generator, self.timestep_power).to(self.device)
        noise = torch.randn(x0.shape, generator=generator).to(self.device)
        alpha_bar, kind = self.schedule.alpha_bar(t), self.schedule.prediction_type
        text, motion = self.workspace.text(batch.captions), batch.motion.to(self.device)
        with self._autocast():
            conditions = self.network.conditions(source, text, motion)
            prediction = self.network(add_noise(x0, noise, alpha_bar), t, conditions).float()
        error = (prediction - target(x0, noise, alpha_bar, kind)).square()
        counts = batch.usable.to(self.device)
        found = {"reconstruction": (_mean(reduce(error, "b c h w -> b", "mean"), counts), 1.0)}
        if self.parts.perceptual and conditions.warped is not None:
            reference = source if self.perceptual_to == "source" else self._unscaled(x0)
            apart = self._compared()(conditions.warped.float(), reference)
            found["perceptual"] = (_mean(apart, counts), self.perceptual_weight)
        return found

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """Every frame by itself from the first one of `clip`, of which only size and timing count besides."""
        self.network.to(self.device).eval()
        motions = motion_schedule(self.frames_motion, len(clip), self.motion, self.allowed.least)
        if outside := sorted(motion for motion in set(motions) if motion not in self.allowed):
            said = ", ".join(map(str, outside))
            warnings.warn(f"motion {said} is outside of the trained range, {self.allowed}.", stacklevel=2)
        mean, _ = self.workspace.posterior(clip[:1])
        b, c, _, h, w = mean.shape
        shape = (b, c, len(clip), h, w)
        start = (shared if self.same_noise else independent)(shape, generator, device=self.device)
        source = self._unscaled(mean[:, :, 0])

        def plan(batch: Sequence[str]) -> tuple[Denoise, Tensor]:
            return self._denoiser(source, batch[0], motions), start

        yield from self.workspace.draw(clip, prompts, 1, self.num_steps, plan, on_progress)

    def save(self, path: Path, **facts: Any) -> None:
        known = {**self._identity, "base": self.backbone.source, "motion_range": list(self.allowed)}
        save(self.network, path, {**facts, **known})

    def load(self, path: str | Path) -> None:
        """ "emojiworld" names the weights that come with giftune, for the embedded model."""
        metadata = load(self.network, path, self._identity)
        self.allowed = as_range(metadata["motion_range"])

    def start_from(self, path: Path) -> None:
        """Of any variant; parts that were not trained with the file's start as ever."""
        start_from(self.network, path, self._identity)

    def _denoiser(self, source: Float[Tensor, "1 c h w"], prompt: str, motions: Sequence[int]) -> Denoise:
        """Three branches in one pass: without anything, with the picture, and with the text too."""
        texts = self.workspace.text([captioned(prompt, self.sentence, motion) for motion in motions])
        empty, pictures = self.workspace.text([""]).expand_as(texts), source.expand(len(motions), -1, -1, -1)
        asked = torch.tensor(motions, device=self.device)
        with self._autocast():
            conditions = self.network.conditions(
                torch.cat([torch.zeros_like(pictures), pictures, pictures]),
                torch.cat([empty, empty, texts]),
                asked.repeat(3),
            )

        def denoise(latents: Tensor, t: int) -> Tensor:
            frames = rearrange(latents, "1 c f h w -> f c h w")
            output = self._predict(repeat(frames, "f ... -> (three f) ...", three=3), t, conditions)
            nothing, image, both = output.chunk(3)
            predicted = guided_by_two(nothing, image, both, self.image_guidance, self.guidance)
            kind, alpha_bar = self.schedule.prediction_type, self.schedule.alpha_bar(t)
            return rearrange(to_epsilon(predicted, frames, alpha_bar, kind), "f c h w -> 1 c f h w")

        return denoise

    def _predict(self, latents: Tensor, t: int, conditions: Conditions) -> Tensor:
        with self._autocast():
            return self.network(latents, t, conditions).float()

    def _encoded(self, batch: PairBatch, generator: Generator) -> tuple[Tensor, Tensor]:
        """The source's mean in the autoencoder's own scale, as InstructPix2Pix, and the target's latents."""
        frames = torch.cat([batch.source, batch.target])
        posterior = encode(self.backbone.vae.to(self.device), frames)
        mean, std = (
            rearrange(part, "c b h w -> b c h w").chunk(2) for part in (posterior.mean, posterior.std)
        )
        x0 = mean[1] + std[1] * torch.randn(mean[1].shape, generator=generator).to(self.device)
        source = self._unscaled(mean[0])
        return source * rearrange(~batch.without_image.to(self.device), "b -> b 1 1 1"), x0

    def _unscaled(self, latents: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        config = self.backbone.vae.config
        return latents / config.scaling_factor + (getattr(config, "shift_factor", None) or 0.0)

    def _compared(self) -> LatentPerceptual:
        """Made when it is first needed: drawing does without."""
        if self._perceptual is None:
            if self.perceptual == "vgg19":
                features: Features = load_latent_vgg(str(self.device), self.download)
            else:
                features = DecoderFeatures(self.backbone.vae)
            self._perceptual = LatentPerceptual(features)
        return self._perceptual

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def _mean(values: Float[Tensor, "b"], counts: Float[Tensor, "b"]) -> Float[Tensor, ""]:
    """Of those that count; 0 where none does."""
    return (values * counts).sum() / counts.sum().clamp(min=1)
