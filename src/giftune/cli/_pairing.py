"""A source clip, or its mask, made comparable with the edit: as many frames, of the same size."""

from pathlib import Path

from einops import reduce, repeat
from jaxtyping import Float
from torch import Tensor

from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.read import read_clip

FRAMES = ("same", "first", "spread")
FITS = ("same", "crop", "pad", "stretch")


def like(edited: Clip, clip: Clip, name: str, frames: str, fit: str) -> Clip:
    """Raises `InputError` when the clip differs and nobody said how it should be made to fit."""
    if len(clip) < len(edited):
        raise InputError(f"{name} has {len(clip)} frames and edited {len(edited)}: it must have as many.")
    if len(clip) > len(edited):
        if frames == "same":
            raise InputError(
                f"{name} has {len(clip)} frames and edited {len(edited)}: they must be equally long, or say "
                "frames=spread or frames=first, whichever the edit shows."
            )
        clip = clip.sample(len(edited), stride=1 if frames == "first" else None)
    if (clip.height, clip.width) != (edited.height, edited.width):
        if fit == "same":
            raise InputError(
                f"{name} is {clip.width} x {clip.height} and edited {edited.width} x {edited.height} pixels: "
                "they must have the same size, or say fit=crop, fit=pad or fit=stretch, as the edit was made."
            )
        clip = clip.fit(edited.height, edited.width, fit)  # type: ignore[arg-type]
    return clip


def read_mask(path: str | Path, edited: Clip, frames: str, fit: str) -> Float[Tensor, "f h w"]:
    """Coverage of the subject, 0 to 1, from grey pictures; one picture holds for all frames."""
    mask = read_clip(path)
    if len(mask) == 1:
        copies = repeat(mask.frames, "1 c h w -> f c h w", f=len(edited))
        mask = Clip(copies, edited.durations_ms, name=mask.name)
    mask = like(edited, mask, "mask", frames, fit)
    return (reduce(mask.frames, "f c h w -> f h w", "mean") + 1) / 2
