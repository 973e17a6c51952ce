"""The structure of a clip as pictures, one a frame in [0, 1], of the kinds that control networks read."""

from pathlib import Path
from typing import Literal

import torch
from einops import rearrange, repeat
from jaxtyping import Float
from skimage.color import rgb2gray
from skimage.feature import canny
from torch import Tensor

from giftune.backbone.placement import resolve_device
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.io.read import read_clip
from giftune.metrics.depth_network import DepthNetwork


class Depth:
    """Inverse depth, white is near (lllyasviel/sd-controlnet-depth, TencentARC/t2iadapter_depth_sd15v2).

    0 and 1 are the farthest and the nearest of the whole clip, not of each frame: with a range of their own,
    frames would flicker whenever something enters or leaves.
    """

    def __init__(self, network: DepthNetwork, device: str = "auto") -> None:
        self.network, self.device = network, resolve_device(device)

    def __call__(self, clip: Clip) -> Float[Tensor, "f 3 h w"]:
        depth = self.network.to(self.device).measure(clip.frames)
        depth = depth - depth.min()
        return repeat(depth / depth.max().clamp(min=1e-6), "f h w -> f 3 h w")


class Edges:
    """White edges on black (Canny 1986, lllyasviel/sd-controlnet-canny), by scikit-image.

    `low` and `high` are thresholds of the gradient of grey values in [0, 1], the same in every frame: those
    of the released annotator, 100 and 200 of 255. `sigma` is the blur before it, in pixels.
    """

    def __init__(self, sigma: float = 1.0, low: float = 100 / 255, high: float = 200 / 255) -> None:
        if not sigma >= 0 or not 0 <= low <= high:
            raise InputError(
                f"sigma is {sigma}, low {low} and high {high}: 0 <= sigma and 0 <= low <= high must hold."
            )
        self.sigma, self.low, self.high = sigma, low, high

    def __call__(self, clip: Clip) -> Float[Tensor, "f 3 h w"]:
        frames = rearrange((clip.frames + 1) / 2, "f c h w -> f h w c").double().cpu().numpy()
        edges = [canny(rgb2gray(frame), self.sigma, self.low, self.high) for frame in frames]
        return torch.stack([repeat(torch.from_numpy(edge).float(), "h w -> 3 h w") for edge in edges])


class Given:
    """Pictures from the user: any clip that `read_clip` reads, with as many frames as the clip to be edited.

    `fit` says how it is brought to that clip's size, as `data.fit` does.
    """

    def __init__(self, path: str, fit: Literal["crop", "pad", "stretch"] = "pad") -> None:
        self.path, self.fit = path, fit

    def __call__(self, clip: Clip) -> Float[Tensor, "f 3 h w"]:
        """Raises `InputError` when the path cannot be read, or has another number of frames."""
        given = read_clip(Path(self.path).expanduser())
        if len(given) != len(clip):
            raise InputError(
                f"control.signal.path {self.path!r} has {len(given)} frames, but clip {clip.name} has "
                f"{len(clip)}: as many are needed."
            )
        return (given.fit(clip.height, clip.width, self.fit).frames + 1) / 2
