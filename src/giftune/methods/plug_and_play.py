"""Plug-and-Play (Tumanyan et al. 2023): the source's features and self-attention shape every new picture."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from giftune.attention.control import copied, features, queries_and_keys
from giftune.attention.patterns import per_frame
from giftune.backbone.stable_diffusion import Backbone
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.methods.base import OnProgress
from giftune.methods.denoiser import Network
from giftune.methods.workspace import Workspace, require_sampling
from giftune.unet.inflate import inflate, verify


class PlugAndPlay:
    """Each frame by itself; inflates the backbone's U-Net in place, without anything across frames.

    The source is inverted with an empty prompt; each step then sees, beside the edit, the source as it was at
    this timestep: the edit takes over the features of one decoder layer in the first `features_until` of the
    steps, and queries and keys from a decoder layer on in the first `attention_until`. Layers are counted as
    in the paper, whose choice for Stable Diffusion is 4. `inversion_steps` None is as many as are sampled;
    the authors' program takes 999. Raises `InputError` for settings out of range.
    """

    def __init__(
        self,
        backbone: Backbone,
        feature_layer: int = 4,
        first_attention_layer: int = 4,
        features_until: float = 0.8,
        attention_until: float = 0.5,
        num_steps: int = 50,
        guidance: float = 7.5,
        inversion_steps: int | None = None,
        batch_size: int = 1,
        cache: str | Path | None = None,
    ) -> None:
        self.workspace = Workspace(backbone, cache)
        self.num_steps, self.guidance, self.batch_size = num_steps, guidance, batch_size
        self.inversion_steps = num_steps if inversion_steps is None else inversion_steps
        require_sampling(self.workspace, batch_size, num_steps, self.inversion_steps)
        self.timesteps = backbone.schedule.timesteps(num_steps).tolist()
        if set(self.timesteps) - set(backbone.schedule.timesteps(self.inversion_steps).tolist()):
            raise InputError(
                f"inversion_steps is {inversion_steps}, which passes by timesteps of num_steps={num_steps}: "
                f"take {num_steps}, a multiple of it, or 999."
            )
        self.network = inflate(backbone.unet, per_frame, temporal=False)
        feature_steps = _first_steps("features_until", features_until, num_steps)
        attention_steps = _first_steps("attention_until", attention_until, num_steps)
        self._parts = (
            (features(self.network.unet, feature_layer), feature_steps),
            (queries_and_keys(self.network.unet, first_attention_layer), attention_steps),
        )

    @torch.no_grad()
    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """`batch_size` prompts at a time; all of it follows from the clip, so `generator` is not used."""
        verify(self.network)
        source = self._source(clip, on_progress)
        start = source[self.timesteps[0]][None]
        plan = self.workspace.plan(self._beside(source), self.guidance, start)
        yield from self.workspace.draw(clip, prompts, self.batch_size, self.num_steps, plan, on_progress)

    def _source(self, clip: Clip, on_progress: OnProgress | None) -> dict[int, Float[Tensor, "c f h w"]]:
        """The inverted clip at each timestep of the sampler."""
        latents, _ = self.workspace.posterior(clip)
        found = self.workspace.inverted(
            self.network, latents, self.inversion_steps, on_progress, at=self.timesteps
        )
        return dict(zip(self.timesteps, found, strict=True))

    def _beside(self, source: Mapping[int, Float[Tensor, "c f h w"]]) -> Network:
        """The network, with the source as the first clip of the batch while something is taken from it."""
        empty = self.workspace.text([""])

        def network(latents: Tensor, t: int, text: Tensor) -> Tensor:
            modules = self._taken(self.timesteps.index(t))
            if not modules:
                return self.network(latents, t, text)
            with copied(modules, num_frames=latents.shape[2]):
                latents, text = torch.cat([source[t][None], latents]), torch.cat([empty, text])
                return self.network(latents, t, text)[1:]

        return network

    def _taken(self, step: int) -> list[nn.Module]:
        return [module for modules, steps in self._parts if step < steps for module in modules]


def _first_steps(name: str, share: float, num_steps: int) -> int:
    if not 0 <= share <= 1:
        raise InputError(f"{name} is {share}, a part of the steps: it must be between 0 and 1.")
    return int(share * num_steps)
