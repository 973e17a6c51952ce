"""Keeps the background where it was, judged by depth."""

import hashlib
from pathlib import Path
from typing import NamedTuple

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from giftune.errors import InputError
from giftune.io.cache import cached
from giftune.io.digest import digest, fingerprint
from giftune.losses.depth_alignment import align, gradient_error, squared_error
from giftune.losses.depth_mask import background_mask
from giftune.losses.step import DenoisingStep

CHUNK = 8  # frames of the source at once
LEAST = 0.01  # of the source must be background


class Source(NamedTuple):
    """Inverse depth of the source with median 0 and mean absolute deviation 1, and where it is background."""

    latents: Float[Tensor, "b c f h w"]
    depth: Float[Tensor, "b f h w"]
    mask: Float[Tensor, "b f h w"]


class Background(nn.Module):
    """alpha_bar_t * (E_2 + gradient_weight * E_grad) of depth(D(x0_hat)) and depth(D(x0)); our definition.

    GIF-Tune's page names a MiDaS-depth background term without a formula. Ours is MiDaS's scale-and-shift
    invariant error (Ranftl et al. 2020, section 5) where the source is far away. `depth` maps frames
    "n 3 h w" in [-1, 1] to inverse depth "n h w" and stays frozen. `frames_per_step` frames are decoded, in
    one of `every` steps, which then counts `every` times; no frame where alpha_bar_t < `min_alpha_bar`,
    because x0_hat says nothing there. Latents whose longer side exceeds `latent_size` are shrunk first.
    The choice follows from the step's own noise, so that a resumed run repeats it. The source's depth is
    computed once, and again only when its latents change; `cache` is a folder that keeps it for other runs.

    Raises `InputError` for settings out of range, and for a source without background.
    """

    def __init__(
        self,
        depth: nn.Module,
        frames_per_step: int = 2,
        every: int = 1,
        latent_size: int | None = 32,
        min_alpha_bar: float = 0.2,
        quantile: float | None = None,
        softness: float = 0.25,
        gradient_weight: float = 0.5,
        num_scales: int = 4,
        cache: str | Path | None = None,
    ) -> None:
        super().__init__()
        for name, number in (
            ("frames_per_step", frames_per_step),
            ("every", every),
            ("latent_size", 1 if latent_size is None else latent_size),
            ("num_scales", num_scales),
        ):
            if number < 1:
                raise InputError(f"{name} is {number}, it must be at least 1.")
        for name, share in (("min_alpha_bar", min_alpha_bar), ("quantile", quantile)):
            if share is not None and not 0 <= share < 1:
                raise InputError(f"{name} is {share}, it must be at least 0 and below 1.")
        if softness <= 0:
            raise InputError(f"softness is {softness}, it must be positive.")
        if gradient_weight < 0:
            raise InputError(f"gradient_weight is {gradient_weight}, it must not be negative.")
        self.depth = depth.requires_grad_(False).eval()
        self.frames_per_step, self.every, self.latent_size = frames_per_step, every, latent_size
        self.min_alpha_bar, self.quantile, self.softness = min_alpha_bar, quantile, softness
        self.gradient_weight, self.num_scales = gradient_weight, num_scales
        self.cache = None if cache is None else Path(cache) / "backgrounds"
        self._source: Source | None = None

    def forward(self, step: DenoisingStep) -> Float[Tensor, ""]:
        weight = self.every * step.alpha_bar * (step.alpha_bar >= self.min_alpha_bar)
        generator = _generator(step)
        if torch.randint(self.every, (), generator=generator) or not weight.any():
            return step.prediction.flatten()[:0].sum()  # 0 with a gradient, for when it is the only loss
        chosen = torch.randperm(step.x0.shape[2], generator=generator)[: self.frames_per_step]
        chosen = chosen.sort().values.to(step.x0.device)
        return (weight * self._error(step, chosen)).mean()

    def _error(self, step: DenoisingStep, chosen: Int[Tensor, "k"]) -> Float[Tensor, "b"]:
        clean = step.x0 if step.source is None else step.source
        if self._source is None or not torch.equal(self._source.latents, clean):
            found = cached(self.cache, self._key(step, clean), lambda: self._look_at(step, clean))
            self._source = Source(clean, *(found[name].to(clean.device) for name in ("depth", "mask")))
        target, mask = self._source.depth[:, chosen], self._source.mask[:, chosen]
        residual = align(self._depth(step, step.x0_hat[:, :, chosen]), target, mask) - target
        gradients = gradient_error(residual, mask, self.num_scales)
        return squared_error(residual, mask) + self.gradient_weight * gradients

    @torch.no_grad()
    def _look_at(self, step: DenoisingStep, clean: Float[Tensor, "b c f h w"]) -> dict[str, Tensor]:
        depth = torch.cat([self._depth(step, part) for part in clean.split(CHUNK, dim=2)], dim=1)
        depth = depth - rearrange(depth, "b f h w -> b (f h w)").median(dim=1).values[:, None, None, None]
        deviation = depth.abs().mean((1, 2, 3), keepdim=True)
        if not (deviation > 0).all():
            raise InputError(
                "loss background finds no background: the source is equally far away everywhere; "
                "leave background out of loss for this clip."
            )
        depth = depth / deviation
        mask = torch.stack([background_mask(clip, self.quantile, self.softness) for clip in depth])
        share = float(mask.mean((1, 2, 3)).min())
        if share < LEAST:
            raise InputError(
                f"loss background finds no background: it is {share:.1%} of the source, at least {LEAST:.0%} "
                "is needed; set loss.background.module.quantile higher, or leave background out of loss."
            )
        return {"depth": depth, "mask": mask}

    @torch.no_grad()
    def _key(self, step: DenoisingStep, clean: Float[Tensor, "b c f h w"]) -> dict[str, str]:
        """Everything that `_look_at` depends on; what it makes of one frame tells decoders apart."""
        if self.cache is None:
            return {}
        return {
            "latents": digest([clean]),
            "one frame": digest([self._depth(step, clean[:, :, :1])]),
            "depth": fingerprint(self.depth),
            "settings": f"{self.latent_size} {self.quantile} {self.softness}",
        }

    def _depth(self, step: DenoisingStep, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b f H W"]:
        if step.decode is None:
            raise InputError("loss background looks at frames, which this method does not decode.")
        frames = rearrange(step.decode(self._shrink(latents)), "b f c h w -> (b f) c h w")
        return rearrange(self.depth(frames).float(), "(b f) h w -> b f h w", b=len(latents))

    def _shrink(self, latents: Float[Tensor, "b c f h w"]) -> Float[Tensor, "b c f small_h small_w"]:
        h, w = latents.shape[-2:]
        if self.latent_size is None or max(h, w) <= self.latent_size:
            return latents
        size = [max(1, round(side * self.latent_size / max(h, w))) for side in (h, w)]
        folded = rearrange(latents, "b c f h w -> (b f) c h w")
        small = F.interpolate(folded, size, mode="bilinear", antialias=True)
        return rearrange(small, "(b f) c h w -> b c f h w", b=len(latents))


def _generator(step: DenoisingStep) -> Generator:
    """The same for the same step of a run, whether it was resumed or not."""
    noise = step.noisy.detach().flatten()[:64].float().cpu().numpy().tobytes()
    digest = hashlib.sha256(noise).digest()
    return Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)
