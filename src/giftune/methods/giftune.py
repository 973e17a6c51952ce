"""GIF-Tune: a text-to-image model learns the motion of one clip, then draws it with another prompt.

With pooled norms and the reconstruction loss alone it is Tune-A-Video (Wu et al. 2023).
"""

import copy
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.attention.patterns import Pattern, sparse_causal
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.diffusion.prediction import add_noise, target
from giftune.diffusion.windows import Window, Windows
from giftune.errors import InputError
from giftune.losses.step import DenoisingStep
from giftune.methods.base import OnProgress
from giftune.methods.controlled import Controlled, StructuralControl
from giftune.methods.workspace import Workspace, noise_like, require_sampling
from giftune.sampling.solvers import DDIM, Solver
from giftune.unet.activations import needs_checkpointing
from giftune.unet.compiled import compile_in_place
from giftune.unet.free_memory import free_memory
from giftune.unet.inflate import verify
from giftune.unet.lora import Lora, add_lora
from giftune.unet.mapping import mapped_to_learn, mapped_to_start
from giftune.unet.motion_parts import MotionParts, inflate_with
from giftune.unet.trainable import SUFFIXES, select_trainable
from giftune.unet.video_unet import VideoUNet
from giftune.unet.weights import load_weights, save_weights
from giftune.unet.windowed import WindowedUNet


class TuningBatch(NamedTuple):
    """The posterior of the source latents, its caption, and what controls it, which may be empty."""

    mean: Float[Tensor, "b c f h w"]
    std: Float[Tensor, "b c f h w"]
    text: Float[Tensor, "b n d"]
    picture: Float[Tensor, "..."]

    def within(self, window: Window) -> "TuningBatch":
        """The same of the frames of a window."""
        picture = self.picture[:, :, window.frames] if self.picture.numel() else self.picture
        return TuningBatch(self.mean[:, :, window.frames], self.std[:, :, window.frames], self.text, picture)


class GifTune:
    """Inflates the backbone's U-Net in place; satisfies `Tunable`.

    `posterior` "sample" tunes on a fresh sample of the source's latents in each step, "mean" on their mean,
    from which inversion always starts. With `inversion_steps` None an edit starts from plain noise, the same
    for all prompts. `cache` is a folder for encoded and inverted latents. Without `temporal` nothing of that
    name is trained; `frozen` names parts of the U-Net that keep their weights. `control` adds structure of
    the clip to every frame by itself, in edits and, with `tune_with_control`, while tuning too.

    `lora` learns thin matrices in place of whole ones. A clip longer than `window` is tuned on one of its
    windows in each step, and edited in all of them at once. `parts`, those of HARIVO, learn along, never in
    thin matrices. `solver` inverts and samples. `gradient_checkpointing` "auto" saves memory where it is
    short; `compile` is torch.compile, or its mode. Raises `InputError` for settings out of range.
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
        gradient_checkpointing: bool | str = False,
        num_steps: int = 50,
        guidance: float = 7.5,
        inversion_steps: int | None = 50,
        batch_size: int = 1,
        seed: int = 0,
        cache: str | Path | None = None,
        control: StructuralControl | None = None,
        tune_with_control: bool = True,
        lora: Lora | None = None,
        window: Windows | None = None,
        solver: Solver = DDIM,
        compile: bool | str = False,
        parts: MotionParts | None = None,
    ) -> None:
        if control is not None:
            control.require_fit(backbone)
        if posterior not in ("sample", "mean"):
            raise InputError(f"posterior is {posterior!r}, it must be 'sample' or 'mean'.")
        if gradient_checkpointing not in (True, False, "auto"):
            raise InputError(
                f"gradient_checkpointing is {gradient_checkpointing!r}, it must be true, false or 'auto'."
            )
        parts = MotionParts() if parts is None else parts
        self.workspace = Workspace(backbone, cache, words=parts.transformer)
        require_sampling(self.workspace, batch_size, num_steps, inversion_steps or 1)
        self.backbone, self.schedule = backbone, backbone.schedule
        self.device, self.dtype = backbone.device, backbone.dtype
        self.control, self.tune_with_control = control, tune_with_control
        self.posterior, self.num_steps, self.guidance = posterior, num_steps, guidance
        self.inversion_steps, self.batch_size = inversion_steps, batch_size
        self.gradient_checkpointing, self.solver = gradient_checkpointing, solver
        self.window = Windows() if window is None else window
        if parts.mapping == "initial_noise_only" and inversion_steps is not None:
            raise InputError("parts.mapping is 'initial_noise_only', which needs inversion=none.")
        self.network = inflate_with(backbone.unet, parts, pattern, seed, temporal, norm)  # type: ignore[arg-type]
        chosen = [suffix for suffix in trainable if temporal or suffix != "temporal"]
        self._names = select_trainable(self.network, [*chosen, *parts.suffixes], frozen)
        if lora is not None and lora.rank is not None:
            self._names = add_lora(self.network, lora, Generator().manual_seed(seed), parts.suffixes)
        for parameter in self.network.parameters():
            if parameter.requires_grad:
                parameter.data = parameter.data.float()
        self._attached: tuple[Tensor, Controlled] | None = None
        if gradient_checkpointing is True:
            self.network.enable_gradient_checkpointing()
        if compile:
            compile_in_place(self.network, compile)

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
        if self.gradient_checkpointing == "auto":
            self._save_memory(*mean.shape[2:])
        return batch

    def step(self, batch: TuningBatch, generator: Generator) -> DenoisingStep:
        """Predict the noise of the clip at one random timestep, with independent noise for each frame.

        Of a clip with several windows it is one of them at random; the loss is of its own frames.
        """
        window = self._window(batch.mean.shape[2], generator)
        mean, std, text, picture = batch if window is None else batch.within(window)
        t = torch.randint(self.schedule.num_train_timesteps, mean.shape[:1], generator=generator).to(
            mean.device
        )
        noise = noise_like(mean, generator)
        x0 = mean + std * noise_like(mean, generator) if self.posterior == "sample" else mean
        alpha_bar = self.schedule.alpha_bar(t)
        noisy = add_noise(x0, noise, alpha_bar)
        given = mapped_to_learn(self.network.mapping, noisy, t, self.schedule.num_train_timesteps)
        prediction = self.workspace.predict(self._controlled(picture), given, t, text)
        kind = self.schedule.prediction_type
        truth = target(x0, noise, alpha_bar, kind)
        if window is not None and window.anchored:
            noisy, prediction, truth, x0, mean = (x[:, :, 1:] for x in (noisy, prediction, truth, x0, mean))
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
        seen = self.network if self.window.frames is None else WindowedUNet(self.network, self.window)
        network = seen if self.control is None else self.control.network(seen, clip)
        start = self._start(network, clip, generator, on_progress)
        plan = self.workspace.plan(network, self.guidance, start)
        yield from self.workspace.draw(
            clip, prompts, self.batch_size, self.num_steps, plan, on_progress, sampler=self.solver.sample
        )

    def quick(self) -> "GifTune":
        """Few steps, and no cache: an inversion with weights of the moment is of no use later."""
        other = copy.copy(self)
        other.workspace = Workspace(self.backbone, words=self.workspace.words)
        other.num_steps = min(10, self.num_steps)
        other.inversion_steps = self.inversion_steps and other.num_steps
        return other

    def save(self, path: Path, **facts: Any) -> None:
        metadata = {**facts, "base": self.backbone.source, **self._identity()}
        stored = self.network.stored
        names = [name for name, parameter in stored.named_parameters() if parameter.requires_grad]
        save_weights(stored, names, path, metadata)

    def load(self, path: Path) -> None:
        load_weights(self.network.stored, path, self._identity())

    def _identity(self) -> dict[str, Any]:
        return {"base_fingerprint": self.workspace.fingerprint, **self.network.architecture}

    def _window(self, num_frames: int, generator: Generator) -> Window | None:
        """The frames of a step: one window at random, None for all, without a draw."""
        windows = self.window.cut(num_frames)
        if len(windows) == 1:
            return None
        return windows[int(torch.randint(len(windows), (), generator=generator))]

    def _save_memory(self, num_frames: int, height: int, width: int) -> None:
        """Checkpoints exactly if a step would not fit otherwise."""
        seen = self.window.most(num_frames), height, width
        if needs_checkpointing(self.network, *seen, free=free_memory(self.device)):
            self.network.enable_gradient_checkpointing()
        else:
            self.network.unet.disable_gradient_checkpointing()

    def _controlled(self, picture: Float[Tensor, "..."]) -> VideoUNet | Controlled:
        """The network for a step: made once for the picture that all steps share."""
        if self.control is None or not picture.numel():
            return self.network
        if self._attached is None or self._attached[0] is not picture:
            self._attached = picture, self.control.attached(self.network, picture)
        return self._attached[1]

    def _start(
        self,
        network: VideoUNet | WindowedUNet | Controlled,
        clip: Clip,
        generator: Generator,
        on_progress: OnProgress | None,
    ) -> Float[Tensor, "1 c f h w"]:
        """Noise that leads back to the clip (inversion with an empty prompt), or plain noise."""
        latents, _ = self.workspace.posterior(clip)
        if self.inversion_steps is None:
            return mapped_to_start(self.network.mapping, noise_like(latents, generator))
        return self.workspace.inverted(
            network, latents, self.inversion_steps, on_progress, solver=self.solver
        )
