"""Text2Video-Zero (Khachatryan et al. 2023): an image model draws a clip, without ever having learnt one."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import torch
import torch.nn.functional as F
from einops import rearrange, reduce, repeat
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.attention.patterns import first_frame
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.losses.depth_mask import background_mask
from giftune.methods.base import OnProgress
from giftune.methods.controlled import StructuralControl
from giftune.methods.workspace import Workspace, noise_like, require_sampling
from giftune.metrics.depth_network import DepthNetwork
from giftune.sampling.sampler import Denoise, sample
from giftune.unet.inflate import inflate, verify

GRID = 512  # the side of the picture in which the strength of motion is counted
SOFTNESS = 0.25  # of the mask's edge, in units of the depth network


class Text2VideoZero:
    """Every self-attention sees frame 1 (eq. 10); satisfies `Editor`.

    `start` decides what a clip keeps of the source. "motion_field": nothing; frame 1 is denoised down to the
    level t0, moved along for each later frame (section 3.3.1), noised up to the level t1, and all frames are
    denoised from there. `t0` and `t1` count steps from the end (None: as 44 and 47 of 50), `motion_x` and
    `motion_y` are pixels a frame in a picture of 512 x 512. "inversion": its structure, by DDIM inversion;
    ours, in the place of the paper's Video Instruct-Pix2Pix. "shared_noise": what `control` carries over; all
    frames start from one noise, as in the released code with a ControlNet.

    `background_smoothing` is the share of the moved frame 1 in the background of the others at the level t1
    (eq. 11), after which they are denoised once more; the mask is Otsu's split of `depth` of the finished
    frames, ours in the place of a salient-object detector. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        start: Literal["motion_field", "inversion", "shared_noise"] = "motion_field",
        t0: int | None = None,
        t1: int | None = None,
        motion_x: float = 12.0,
        motion_y: float = 12.0,
        background_smoothing: float = 0.0,
        depth: DepthNetwork | None = None,
        control: StructuralControl | None = None,
        num_steps: int = 50,
        guidance: float = 7.5,
        inversion_steps: int = 50,
        batch_size: int = 1,
        cache: str | Path | None = None,
    ) -> None:
        self.workspace = Workspace(backbone, cache)
        require_sampling(self.workspace, batch_size, num_steps, inversion_steps)
        t0 = min(round(0.88 * num_steps), num_steps - 2) if t0 is None else t0
        t1 = min(max(round(0.94 * num_steps), t0 + 1), num_steps - 1) if t1 is None else t1
        if start == "motion_field" and not 0 <= t0 < t1 < num_steps:
            raise InputError(f"t0 is {t0} and t1 {t1}: 0 <= t0 < t1 < num_steps ({num_steps}) must hold.")
        if not 0 <= background_smoothing <= 1:
            raise InputError(f"background_smoothing is {background_smoothing}, it must be between 0 and 1.")
        if background_smoothing and (start != "motion_field" or depth is None):
            raise InputError("background_smoothing needs start=motion_field and a depth network.")
        if control is not None:
            control.require_fit(backbone)
        if start == "shared_noise" and control is None:
            raise InputError("start is 'shared_noise', which needs a control, such as control=depth.")
        self.start, self.t0, self.t1, self.motion = start, t0, t1, (motion_x, motion_y)
        self.background_smoothing, self.depth, self.control = background_smoothing, depth, control
        self.num_steps, self.guidance = num_steps, guidance
        self.inversion_steps, self.batch_size = inversion_steps, batch_size
        self.network = inflate(backbone.unet, first_frame, temporal=False)

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """As many frames as `clip`, which gives timing and size, and structure as far as `start` says."""
        verify(self.network)
        latents, _ = self.workspace.posterior(clip)
        network = self.network if self.control is None else self.control.network(self.network, clip)
        noise = noise_like(latents[:, :, :1], generator)
        later = _noise_of_frames(latents[:, :, 1:], generator)
        if self.start == "inversion":
            noise = self.workspace.inverted(network, latents, self.inversion_steps, on_progress)
        elif self.start == "shared_noise":
            noise = repeat(noise, "b c 1 h w -> b c f h w", f=len(clip))

        def plan(batch: Sequence[str]) -> tuple[Denoise, Tensor]:
            denoise = self.workspace.denoiser(network, batch, self.guidance)
            start, added = (repeat(x, "1 c f h w -> b c f h w", b=len(batch)) for x in (noise, later))
            return denoise, self._moved(denoise, start, added) if self.start == "motion_field" else start

        part = slice(self._joint, None) if self.start == "motion_field" else slice(None)
        yield from self.workspace.draw(
            clip, prompts, self.batch_size, self.num_steps, plan, on_progress, part
        )

    @property
    def _joint(self) -> int:
        """The first step that all frames take together."""
        return self.num_steps - self.t1 - 1

    def _moved(
        self,
        denoise: Denoise,
        noise: Float[Tensor, "b c 1 h w"],
        added: Float[Tensor, "b c later h w"],
    ) -> Float[Tensor, "b c f h w"]:
        """All frames at the level t1 (Algorithm 1, without its last line)."""
        schedule, lower = self.workspace.schedule, self.num_steps - self.t0 - 1
        first = sample(denoise, noise, schedule, self.num_steps, part=slice(self._joint))
        lowest = sample(denoise, first, schedule, self.num_steps, part=slice(self._joint, lower))
        timesteps = schedule.timesteps(self.num_steps).tolist()
        # The released code takes the product of alpha over [t0, t1), one step lower than (t0, t1].
        levels = schedule.alphas_cumprod[[timesteps[lower] - 1, timesteps[self._joint] - 1]]
        kept = levels[1] / levels[0]
        motion = [(self.motion[0] * k, self.motion[1] * k) for k in range(1, added.shape[2] + 1)]
        noised = kept.sqrt() * moved(lowest, motion) + (1 - kept).sqrt() * added
        start = torch.cat([first, noised], dim=2)
        return self._smoothed(denoise, start, motion) if self.background_smoothing else start

    def _smoothed(
        self, denoise: Denoise, start: Float[Tensor, "b c f h w"], motion: Sequence[tuple[float, float]]
    ) -> Float[Tensor, "b c f h w"]:
        """Frame 1, moved, mixed into the background of the others (eq. 11)."""
        assert self.depth is not None
        part = slice(self._joint, None)
        drawn = self.workspace.decode(
            sample(denoise, start, self.workspace.schedule, self.num_steps, part=part)
        )
        cell = drawn.shape[-1] // start.shape[-1]
        masks = [background_mask(self.depth.measure(frames.float()), None, SOFTNESS) for frames in drawn]
        background = reduce(torch.stack(masks), "b f (h i) (w j) -> b 1 f h w", "min", i=cell, j=cell)
        share = self.background_smoothing * background.to(start)[:, :, 1:]
        later = share * moved(start[:, :, :1], motion) + (1 - share) * start[:, :, 1:]
        return torch.cat([start[:, :, :1], later], dim=2)


def moved(
    latents: Float[Tensor, "b c 1 h w"], motion: Sequence[tuple[float, float]]
) -> Float[Tensor, "b c later h w"]:
    """Each (x, y) shows the latents that lie that many 512ths further right and below (eq. 8), mirrored.

    The nearest latent is taken: blending would take noise away. Half a 512th is lost as in the released code.
    """
    b, _, _, h, w = latents.shape
    ticks = torch.tensor([motion], device=latents.device).reshape(-1, 2) - 0.5
    x = (torch.arange(w, device=latents.device) + 0.5) / w + ticks[:, :1] / GRID
    y = (torch.arange(h, device=latents.device) + 0.5) / h + ticks[:, 1:] / GRID
    k = len(ticks)
    grid = torch.stack([repeat(x, "k w -> k h w", h=h), repeat(y, "k h -> k h w", w=w)], dim=-1) * 2 - 1
    frames = F.grid_sample(
        repeat(latents, "b c 1 h w -> (b k) c h w", k=k),
        repeat(grid, "k h w xy -> (b k) h w xy", b=b).to(latents.dtype),
        mode="nearest",
        padding_mode="reflection",
        align_corners=False,
    )
    return rearrange(frames, "(b k) c h w -> b c k h w", k=k)


def _noise_of_frames(latents: Float[Tensor, "1 c f h w"], generator: Generator) -> Float[Tensor, "1 c f h w"]:
    """Drawn frame after frame, as the released code does."""
    frames = rearrange(latents, "1 c f h w -> f c 1 h w")
    return rearrange(noise_like(frames, generator), "f c 1 h w -> 1 c f h w")
