"""HARIVO-inspired: a frozen image model learns from many clips how pictures move, and makes GIFs of text.

After HARIVO (Kwon et al. 2024, arXiv 2410.07763), of which neither code nor most formulas are published: what
is ours is said where it is defined, and in docs/harivo.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from einops import repeat
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.attention.recording import recorded
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.noise import independent, mixed, progressive
from giftune.diffusion.prediction import add_noise, target
from giftune.diffusion.timesteps import draw_timesteps
from giftune.errors import InputError
from giftune.losses.attention_consistency import attention_consistency
from giftune.losses.image_prior import image_prior
from giftune.losses.reconstruction import Reconstruction
from giftune.losses.step import DenoisingStep
from giftune.losses.temporal_deviation import temporal_deviation
from giftune.methods._harivo_inside import Inside
from giftune.methods._harivo_network import (
    harivo_network,
    identity,
    load,
    projected_contrast,
    save,
    start_from,
)
from giftune.methods.base import Example, OnProgress
from giftune.methods.controlled import StructuralControl
from giftune.methods.kept_latents import KeptLatents
from giftune.methods.workspace import Workspace, noise_like, require_sampling
from giftune.sampling.mitigating_gradient import MitigatingGradient
from giftune.sampling.sampler import Denoise
from giftune.unet.image_model import ImageModel
from giftune.unet.inflate import verify
from giftune.unet.mapping import mapped_to_learn, mapped_to_start
from giftune.unet.motion_parts import MotionParts

NOISES = {"pyoco_mixed": mixed, "pyoco_progressive": progressive}


class ClipBatch(NamedTuple):
    """Clips of one size and length, and what they show; empty where the caption is left out."""

    frames: Float[Tensor, "b f 3 h w"]
    captions: tuple[str, ...]


class Harivo:
    """Inflates the backbone's U-Net in place, of which nothing learns; satisfies `Learner` and `Editor`.

    An edit takes size, number of frames and timing of its clip, and draws the prompt from noise. `mapping` is
    a network in front of the U-Net, at every step or where sampling starts (`mapping_at`), or, without
    parameters, a noise whose frames are alike (PYoCo, with its ratio `a`). `tokens` is how text of each
    frame's own joins the prompt; with `transformer` layers over the whole clip read its words. `control` adds
    structure of the clip to edits. `weights` None is the image model, frame by frame; "emojiworld" comes with
    giftune; a file may have been trained on another checkpoint of the same widths. A loss with weight 0 is
    not computed. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        weights: str | Path | None = None,
        mapping: Literal["none", "conv3d", "pyoco_mixed", "pyoco_progressive"] = "conv3d",
        mapping_at: Literal["every_step", "initial_noise_only"] = "every_step",
        a: float = 1.0,
        tokens: Literal["none", "concat", "decoupled"] = "concat",
        num_tokens: int = 4,
        frame_code: bool = True,
        temporal_conv: bool = True,
        transformer: bool = True,
        deviation_weight: float = 0.0,
        image_prior_weight: float = 0.1,
        attention_weight: float = 0.1,
        contrastive_weight: float = 0.01,
        min_snr_gamma: float | None = None,
        timestep_power: float = 1.0,
        caption_dropout: float = 0.1,
        mitigation: MitigatingGradient | None = None,
        control: StructuralControl | None = None,
        gradient_checkpointing: bool | str = False,
        num_steps: int = 50,
        guidance: float = 7.5,
        batch_size: int = 1,
        seed: int = 0,
        cache: str | Path | None = None,
    ) -> None:
        self.loss_weights = {
            "deviation": deviation_weight,
            "image_prior": image_prior_weight,
            "attention": attention_weight,
            "contrastive": contrastive_weight,
        }
        _require(self.loss_weights, caption_dropout, timestep_power)
        if control is not None:
            control.require_fit(backbone)
        self.workspace = Workspace(backbone, cache, words=transformer)
        require_sampling(self.workspace, batch_size, num_steps)
        self.backbone, self.schedule, self.control = backbone, backbone.schedule, control
        self.device, self.dtype = backbone.device, backbone.dtype
        self.num_steps, self.guidance, self.batch_size = num_steps, guidance, batch_size
        self.mitigation, self.caption_dropout = mitigation or MitigatingGradient(0.0), caption_dropout
        self.timestep_power, self._reconstruction = timestep_power, Reconstruction(min_snr_gamma)
        self._noise = partial(NOISES[mapping], a=a) if mapping in NOISES else independent
        self._noise((1, 1, 1, 1, 1), Generator())  # refuses an impossible `a`
        self._image_model = ImageModel(backbone.unet)
        mapped = mapping_at if mapping == "conv3d" else "none"
        parts = MotionParts(frame_code, temporal_conv, mapped, tokens, num_tokens, transformer)
        self.network = harivo_network(backbone.unet, parts, seed)
        self._contrastive = projected_contrast(self.network.unet, seed)
        if contrastive_weight:  # in the network, because it learns; no file has it
            self.network.contrastive = self._contrastive
        self._inside = Inside(self.network.unet, bool(attention_weight))
        self._latents = KeptLatents(backbone)
        self._identity = identity(self.network, f"{mapping} {a}" if mapping in NOISES else "independent")
        if gradient_checkpointing:  # "auto" is for one clip of a known size, and counts as true here
            self.network.enable_gradient_checkpointing()
        if weights is not None:
            self.load(weights)

    def trainable(self) -> list[str]:
        return [name for name, parameter in self.network.named_parameters() if parameter.requires_grad]

    def collate(self, examples: Sequence[Example], generator: Generator) -> ClipBatch:
        """Raises `InputError` for a clip without caption, and for clips of several sizes or lengths."""
        for example in examples:
            if not example.caption.strip():
                raise InputError(f"clip {example.name or example.clip.name} has no caption to learn from.")
        shapes = {tuple(example.clip.frames.shape) for example in examples}
        if len(shapes) > 1:
            raise InputError(f"clips are of {len(shapes)} sizes or lengths in one batch, they must be alike.")
        left_out = (torch.rand(len(examples), generator=generator) < self.caption_dropout).tolist()
        captions = tuple("" if out else e.caption for out, e in zip(left_out, examples, strict=True))
        return ClipBatch(torch.stack([example.clip.frames for example in examples]), captions)

    def losses(self, batch: ClipBatch, generator: Generator) -> dict[str, tuple[Tensor, float]]:
        """Noise predicted as ever, and what keeps frames good and alike; one timestep for each clip."""
        if self.dtype == torch.float16:
            raise InputError("backbone.dtype is float16, too narrow to train in; use bfloat16 or float32.")
        x0, text = self._encoded(batch.frames, generator), self.workspace.text(batch.captions)
        total = self.schedule.num_train_timesteps
        t = draw_timesteps(len(x0), total, generator, self.timestep_power).to(self.device)
        noise, alpha_bar = self._drawn(x0, generator), self.schedule.alpha_bar(t)
        noisy, kind = add_noise(x0, noise, alpha_bar), self.schedule.prediction_type
        with recorded(self._inside.modules) as seen:
            given = mapped_to_learn(self.network.mapping, noisy, t, total)
            prediction = self.workspace.predict(self.network, given, t, text)
        step = DenoisingStep(noisy, prediction, target(x0, noise, alpha_bar, kind), x0, t, alpha_bar, kind)
        found = {"reconstruction": (self._reconstruction(step), 1.0)}
        if weight := self.loss_weights["deviation"]:
            found["deviation"] = (temporal_deviation(step), weight)
        if weight := self.loss_weights["image_prior"]:
            alone = self.workspace.predict(self._image_model, noisy, t, text)
            found["image_prior"] = (image_prior(prediction, alone), weight)
        if weight := self.loss_weights["attention"]:
            found["attention"] = (attention_consistency(self._inside.maps(seen, len(x0))), weight)
        if weight := self.loss_weights["contrastive"]:
            deepest = self._inside.deepest(seen, len(x0))
            found["contrastive"] = (self._contrastive(deepest, generator), weight)
        return found

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """All prompts start from the same noise, both branches of the guidance in one pass of the network."""
        verify(self.network)
        self.network.to(self.device)
        network = self.network if self.control is None else self.control.network(self.network, clip)
        start = self._start(clip, generator)

        def plan(batch: Sequence[str]) -> tuple[Denoise, Tensor]:
            denoise = self.workspace.denoiser(network, batch, self.guidance)
            guided = self.mitigation.guided(denoise, self.schedule)
            return guided, repeat(start, "1 c f h w -> b c f h w", b=len(batch))

        yield from self.workspace.draw(clip, prompts, self.batch_size, self.num_steps, plan, on_progress)

    def save(self, path: Path, **facts: Any) -> None:
        save(self.network, path, {**facts, "base": self.backbone.source, **self._identity})

    def load(self, path: str | Path) -> None:
        """ "emojiworld" names the weights that come with giftune, for the embedded model."""
        load(self.network, path, self._identity)

    def start_from(self, path: Path) -> None:
        """Parts that were not trained with the file's start as ever."""
        start_from(self.network, path, self._identity)

    def _encoded(
        self, frames: Float[Tensor, "b f 3 H W"], generator: Generator
    ) -> Float[Tensor, "b c f h w"]:
        """A sample of the clips' latents."""
        mean, std = self._latents(frames)
        return mean + std * noise_like(mean, generator)

    def _drawn(self, latents: Float[Tensor, "b c f h w"], generator: Generator) -> Float[Tensor, "b c f h w"]:
        b, c, f, h, w = latents.shape
        return self._noise((b, c, f, h, w), generator, device=latents.device)

    def _start(self, clip: Clip, generator: Generator) -> Float[Tensor, "1 c f h w"]:
        picture, _ = self.workspace.posterior(clip[:1])
        start = self._drawn(repeat(picture, "1 c 1 h w -> 1 c f h w", f=len(clip)), generator)
        return mapped_to_start(self.network.mapping, start)


def _require(weights: Mapping[str, float], caption_dropout: float, timestep_power: float) -> None:
    for name, weight in weights.items():
        if not weight >= 0:
            raise InputError(f"{name}_weight is {weight}, it must not be negative.")
    if not 0 <= caption_dropout <= 1:
        raise InputError(f"caption_dropout is {caption_dropout}, it must be between 0 and 1.")
    draw_timesteps(0, 1, Generator(), timestep_power)
