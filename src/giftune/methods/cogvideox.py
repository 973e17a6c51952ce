"""CogVideoX (Yang et al. 2024) as an external baseline: it hears the prompt and never sees the source."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from diffusers import CogVideoXPipeline
from jaxtyping import Float
from torch import Generator, Tensor

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.methods.base import OnProgress


class CogVideoX:
    """Text-to-video by a model of its own; satisfies `Editor`.

    It draws `num_frames` frames of `height` x `width`, None being what it was trained on. What makes them
    comparable is ours: as many frames as the source has, spread over all that were drawn (and repeated if
    they are fewer), cropped and resized to its size, with its timing. Raises `InputError` for settings out of
    range.
    """

    def __init__(
        self,
        pipeline: CogVideoXPipeline,
        num_frames: int | None = None,
        height: int | None = None,
        width: int | None = None,
        num_steps: int = 50,
        guidance: float = 6.0,
    ) -> None:
        if num_steps < 1:
            raise InputError(f"num_steps is {num_steps}, it must be at least 1.")
        if num_frames is not None and (
            num_frames < 9 or num_frames % 8 != 1
        ):  # others are not what comes out
            raise InputError(f"num_frames is {num_frames}, it must be one more than a multiple of 8.")
        unit = pipeline.vae_scale_factor_spatial * pipeline.transformer.config.patch_size
        for name, value in (("height", height), ("width", width)):
            if value is not None and (value < unit or value % unit):
                raise InputError(f"{name} is {value}, it must be a multiple of {unit}.")
        self.pipeline, self.num_steps, self.guidance = pipeline, num_steps, guidance
        self.shape = {"num_frames": num_frames, "height": height, "width": width}

    def edit(
        self,
        clip: Clip,
        prompts: Sequence[str],
        generator: Generator,
        on_progress: OnProgress | None = None,
    ) -> Iterator[Clip]:
        """One prompt at a time, all with the same noise."""
        total = len(prompts) * self.num_steps
        for index, prompt in enumerate(prompts):

            def on_step(_: Any, step: int, *__: Any, done: int = index * self.num_steps) -> dict[str, Any]:
                if on_progress:
                    on_progress("sampling", done + step + 1, total)
                return {}

            yield as_clip(self._draw(prompt, generator.clone_state(), on_step), clip)

    def _draw(self, prompt: str, generator: Generator, on_step: Any) -> Float[Tensor, "f 3 h w"]:
        frames = self.pipeline(
            prompt,
            num_inference_steps=self.num_steps,
            guidance_scale=self.guidance,
            generator=generator,
            max_sequence_length=self.pipeline.transformer.config.max_text_seq_length,
            callback_on_step_end=on_step,
            output_type="pt",
            **self.shape,
        ).frames[0]
        if not frames.isfinite().all():
            raise InputError("dtype is too narrow: the frames are not finite; try bfloat16 or float32.")
        return frames.float().cpu() * 2 - 1


def as_clip(frames: Float[Tensor, "f 3 h w"], like: Clip) -> Clip:
    """The drawn frames with the number, size and timing of those of `like`."""
    chosen = frames[torch.arange(len(like)) * len(frames) // len(like)].clamp(-1, 1)
    sized = Clip(chosen, like.durations_ms).fit(like.height, like.width, "crop")
    return like.with_frames(sized.frames)
