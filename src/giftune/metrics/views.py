"""Which part of a frame a CLIP network is shown; the published metrics differ in this."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import interpolate

View = Literal["centre_crop", "square", "bottom_square"]
LOVEU_SIDE = 480


def arrange(frames: Float[Tensor, "f 3 h w"], view: View, side: int) -> Float[Tensor, "f 3 s s"]:
    """A square of the frame, `side` pixels wide.

    - `centre_crop`: CLIP's own: the shortest side to `side` pixels, then the centre.
    - `square`: as LOVEU-TGVE's scoring script: the whole frame, squeezed to 480 x 480 first.
    - `bottom_square`: as FateZero's: of portraits the bottom, then as `centre_crop`.
    """
    h, w = frames.shape[-2:]
    if view == "square":
        frames = _resize(frames, LOVEU_SIDE, LOVEU_SIDE)
    elif view == "bottom_square" and h > w:
        frames = frames[..., h - w :, :]
    h, w = frames.shape[-2:]
    short = min(h, w)
    frames = _resize(frames, int(side * h / short), int(side * w / short))
    top, left = round((frames.shape[-2] - side) / 2), round((frames.shape[-1] - side) / 2)
    return frames[..., top : top + side, left : left + side]


def _resize(frames: Float[Tensor, "f 3 h w"], height: int, width: int) -> Float[Tensor, "f 3 a b"]:
    """Bicubic and antialiased as Pillow's, which cuts off what overshoots."""
    if frames.shape[-2:] == (height, width):
        return frames
    return interpolate(frames, (height, width), mode="bicubic", antialias=True).clamp(-1, 1)
