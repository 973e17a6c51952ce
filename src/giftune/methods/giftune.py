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
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.prediction import add_noise, target
from giftune.errors import InputError
from giftune.losses.step import DenoisingStep
from giftune.methods.base import OnProgress
from giftune.methods.controlled import Controlled, StructuralControl
from giftune.methods.workspace import Workspace, noise_like, require_sampling
from giftune.sampling.sampler import Denoise
from giftune.unet.inflate import inflate, verify
from giftune.unet.trainable import SUFFIXES, select_trainable
from giftune.unet.video_unet import VideoUNet
from giftune.unet.weights import load_weights, save_weights


class TuningBatch(NamedTuple):
    """The posterior of the source latents, its caption, and what controls it, which may be empty."""

    mean: Float[Tensor, "b c f h w"]
    std: Float[Tensor, "b c f h w"]
    text: Float[Tensor, "b n d"]
    picture: Float[Tensor, "..."]


class GifTune:
    """Inflates the backbone's U-Net in place; satisfies `Tunable`.

    `posterior` "sample" tunes on a fresh sample of the source's latents in each step, "mean" on their mean,
    from which inversion always starts. With `inversion_steps` None an edit starts from plain noise, the same
    for all prompts. `cache` is a folder for encoded and inverted latents. Without `temporal` nothing of that
    name is trained; `frozen` names parts of the U-Net that keep their weights. `control` adds structure of
    the clip to every frame by itself, in edits and, with `tune_with_control`, while tuning too. Raises
    `InputError` for settings out of range.
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
        control: StructuralControl | None = None,
        tune_with_control: bool = True,
    ) -> None:
        if control is not None:
            control.require_fit(backbone)
        if posterior not in ("sample", "mean"):
            raise InputError(f"posterior is {posterior!r}, it must be 'sample' or 'mean'.")
        self.workspace = Workspace(backbone, cache)
        require_sampling(self.workspace, batch_size, num_steps, inversion_steps or 1)
        self.backbone, self.schedule = backbone, backbone.schedule
        self.device, self.dtype = backbone.device, backbone.dtype
        self.control, self.tune_with_control = control, tune_with_control
        self.posterior, self.num_steps, self.guidance = posterior, num_steps, guidance
        self.inversion_steps, self.batch_size = inversion_steps, batch_size
        with torch.random.fork_rng(devices=[]):  # new layers draw their weights from the global generator
            torch.manual_seed(seed)
            self.network = inflate(backbone.unet, pattern, temporal, norm)  # type: ignore[arg-type]
        chosen = [suffix for suffix in trainable if temporal or suffix != "temporal"]
        self._names = select_trainable(self.network, chosen, frozen)
        for parameter in self.network.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        self._attached: tuple[Tensor, Controlled] | None = None
        if gradient_checkpointing:
            self.network.enable_gradient_checkpointing()

    def trainable(self) -> list[str]:
        return self._names

    def prepare(self, clip: Clip, caption: str) -> TuningBatch:
        """Latents and text, encoded once; what encoded them then leaves the GPU."""
        if self.dtype == torch.float16:
            raise InputError("backbone.dtype is float16, too narrow to tune in; use bfloat16 or float32.")
        verify(self.network)
        mean, std = self.workspace.posterior(clip)
        controlled = self.control is not None and self.tune_with_control
        picture = self.control.picture(clip) if controlled else torch.empty(0)  # type: ignore[union-attr]
        batch = TuningBatch(mean, std, self.workspace.text([caption]), picture)
        self.workspace.release()
        return batch

    def step(self, batch: TuningBatch, generator: Generator) -> DenoisingStep:
        """Predict the noise of the clip at one random timestep, with independent noise for each frame."""
        mean, std, text, picture = batch
        t = torch.randint(self.schedule.num_train_timesteps, mean.shape[:1], generator=generator).to(
            mean.device
        )
        noise = noise_like(mean, generator)
        x0 = mean + std * noise_like(mean, generator) if self.posterior == "sample" else mean
        alpha_bar = self.schedule.alpha_bar(t)
        noisy = add_noise(x0, noise, alpha_bar)
        prediction = self.workspace.predict(self._controlled(picture), noisy, t, text)
        kind = self.schedule.prediction_type
        truth = target(x0, noise, alpha_bar, kind)
        return DenoisingStep(noisy, prediction, truth, x0, t, alpha_bar, kind, self.workspace.decode, mean)

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
        network = self.network if self.control is None else self.control.network(self.network, clip)
        start = self._start(network, clip, generator, on_progress)

        def plan(batch: Sequence[str]) -> tuple[Denoise, Tensor]:
            denoise = self.workspace.denoiser(network, batch, self.guidance)
            return denoise, repeat(start, "1 c f h w -> b c f h w", b=len(batch))

        yield from self.workspace.draw(clip, prompts, self.batch_size, self.num_steps, plan, on_progress)

    def quick(self) -> "GifTune":
        """Few steps, and no cache: an inversion with weights of the moment is of no use later."""
        other = copy.copy(self)
        other.workspace, other.num_steps = Workspace(self.backbone), min(10, self.num_steps)
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
        return {"base_fingerprint": self.workspace.fingerprint, **self.network.architecture}

    def _controlled(self, picture: Float[Tensor, "..."]) -> VideoUNet | Controlled:
        """The network for a step: made once for the picture that all steps share."""
        if self.control is None or not picture.numel():
            return self.network
        if self._attached is None or self._attached[0] is not picture:
            self._attached = picture, self.control.attached(self.network, picture)
        return self._attached[1]

    def _start(
        self,
        network: VideoUNet | Controlled,
        clip: Clip,
        generator: Generator,
        on_progress: OnProgress | None,
    ) -> Float[Tensor, "1 c f h w"]:
        """Noise that leads back to the clip (DDIM inversion with an empty prompt), or plain noise."""
        latents, _ = self.workspace.posterior(clip)
        if self.inversion_steps is None:
            return noise_like(latents, generator)
        return self.workspace.inverted(network, latents, self.inversion_steps, on_progress)
