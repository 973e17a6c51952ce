"""CLIP networks as the metrics see them: frames and prompts to unit vectors."""

import warnings
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call
from torch.nn.functional import normalize

from giftune.metrics._memory import Memory
from giftune.metrics.views import View, arrange


@runtime_checkable
class ImageText(Protocol):
    """All vectors are of unit length and on the CPU; `logit_scale` multiplies the cosine in PickScore."""

    name: str
    logit_scale: float

    def images(
        self, frames: Float[Tensor, "f 3 h w"], view: View = "centre_crop"
    ) -> Float[Tensor, "f d"]: ...

    def texts(self, prompts: Sequence[str]) -> Float[Tensor, "b d"]: ...


@runtime_checkable
class PooledImageText(ImageText, Protocol):
    """Also gives what its vision model has before the projection into the space shared with texts."""

    def pooled(
        self, frames: Float[Tensor, "f 3 h w"], view: View = "centre_crop"
    ) -> Float[Tensor, "f d"]: ...


class OpenClip:
    """An open_clip network with a vision transformer; frames are embedded once for all metrics."""

    def __init__(self, model: Any, tokenizer: Any, name: str) -> None:
        self.model = model.eval().requires_grad_(False)
        self.visual: Any = model.visual
        self.tokenizer, self.name = tokenizer, name
        self.logit_scale = float(self.model.logit_scale.exp())
        size: Any = self.visual.image_size
        self.side: int = size[0] if isinstance(size, tuple | list) else size
        self._memory, self._cut = Memory(), CutWarning(tokenizer)

    @property
    def device(self) -> torch.device:
        return self.visual.proj.device

    def images(self, frames: Float[Tensor, "f 3 h w"], view: View = "centre_crop") -> Float[Tensor, "f d"]:
        return normalize((self._pooled(frames, view) @ self.visual.proj).cpu(), dim=-1)

    def pooled(self, frames: Float[Tensor, "f 3 h w"], view: View = "centre_crop") -> Float[Tensor, "f d"]:
        """What `transformers` calls `pooler_output` of the vision model."""
        return normalize(self._pooled(frames, view).cpu(), dim=-1)

    def texts(self, prompts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Warns when a prompt is cut to the network's length, showing the cut part."""
        self._cut(prompts)
        with torch.no_grad():
            tokens = self.tokenizer(list(prompts)).to(self.device)
            return normalize(self.model.encode_text(tokens).cpu(), dim=-1)

    @torch.no_grad()
    def _pooled(self, frames: Float[Tensor, "f 3 h w"], view: View) -> Float[Tensor, "f d"]:
        def compute() -> Tensor:
            seen = standardise(
                frames.to(self.device), view, self.side, self.visual.image_mean, self.visual.image_std
            )
            identity = torch.eye(len(self.visual.proj), device=self.device)
            return functional_call(self.visual, {"proj": identity}, (seen,))

        return self._memory.recall(frames, view, compute)


class TransformersClip:
    """A `transformers` CLIPModel, read through its outputs' fields: the methods return output objects."""

    def __init__(
        self, model: Any, tokenizer: Any, mean: Sequence[float], std: Sequence[float], name: str
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.tokenizer, self.mean, self.std, self.name = tokenizer, mean, std, name
        self.logit_scale = float(self.model.logit_scale.exp())
        self._memory, self._cut = Memory(), CutWarning(tokenizer)

    @torch.no_grad()
    def images(self, frames: Float[Tensor, "f 3 h w"], view: View = "centre_crop") -> Float[Tensor, "f d"]:
        def compute() -> Tensor:
            side = self.model.config.vision_config.image_size
            seen = standardise(frames.to(self.model.device), view, side, self.mean, self.std)
            return normalize(self.model.get_image_features(pixel_values=seen).pooler_output.cpu(), dim=-1)

        return self._memory.recall(frames, view, compute)

    @torch.no_grad()
    def texts(self, prompts: Sequence[str]) -> Float[Tensor, "b d"]:
        """Warns when a prompt is cut to the network's length, showing the cut part."""
        self._cut(prompts)
        tokens = self.tokenizer(list(prompts)).to(self.model.device)
        return normalize(self.model.get_text_features(input_ids=tokens).pooler_output.cpu(), dim=-1)


class CutWarning:
    """Says once for each prompt which end of it an open_clip tokenizer will ignore."""

    def __init__(self, tokenizer: Any) -> None:
        self.tokenizer, self.room = tokenizer, tokenizer.context_length - 2  # the start and end tokens
        self._seen: set[str] = set()

    def __call__(self, prompts: Sequence[str]) -> None:
        for prompt in {*prompts} - self._seen:
            self._seen.add(prompt)
            inner = getattr(
                self.tokenizer, "tokenizer", None
            )  # of `transformers`, inside open_clip's HFTokenizer
            ids = (
                self.tokenizer.encode(prompt)
                if inner is None
                else inner(prompt, add_special_tokens=False).input_ids
            )
            if len(ids) > self.room:
                lost = (inner or self.tokenizer).decode(ids[self.room :]).strip()
                warnings.warn(
                    f"prompt {prompt!r} has more than {self.room} tokens; "
                    f"CLIP does not see this end of it: {lost!r}",
                    stacklevel=3,
                )


def standardise(
    frames: Float[Tensor, "f 3 h w"], view: View, side: int, mean: Sequence[float], std: Sequence[float]
) -> Float[Tensor, "f 3 s s"]:
    """What the network was trained on: the view, from [-1, 1] to its own mean and spread of colours."""
    seen = (arrange(frames.float(), view, side) + 1) / 2
    centre, spread = (rearrange(torch.tensor(x).to(seen), "c -> c 1 1") for x in (tuple(mean), tuple(std)))
    return (seen - centre) / spread
