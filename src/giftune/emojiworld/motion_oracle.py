"""Which of the world's motions a clip shows: for measuring only; our own definition."""

from functools import cache

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from giftune.emojiworld.motions import MOTIONS
from giftune.emojiworld.oracle import Oracle

STILL = "still"  # the answer where no motion explains the clip better than none
REACHES = np.linspace(0.4, 1.3, 19)  # how far a motion may go; the world's own go 0.6 to 1.2
GROWTHS = np.geomspace(0.5, 2.5, 33)
HALF = 0.17  # of the picture's side: half of the square around the subject in which growth is looked for
BODY = 0.24  # of the side: a subject's half-height, by which growth is made a distance


def motion_of(centres: Float[Tensor, "f 2"], growth: Float[Tensor, "f"]) -> str:
    """The motion that (x, y), in fractions of the side, and sizes in that of the first frame follow best.

    Least squares over where the subject rests, how far it goes and on which side it begins; the clip shall
    go through its motion once. `STILL` is no motion at all.
    """
    seen = _centred(torch.cat([centres, BODY * growth.log()[:, None]], dim=1).double().cpu().numpy())
    distances = {STILL: float(np.square(seen).sum())}
    for name in MOTIONS:
        distances[name] = float(np.square(seen - _paths(name, len(seen))).sum(axis=(1, 2)).min())
    return min(distances, key=lambda name: distances[name])


def growth_of(frames: Float[Tensor, "f 3 h w"], centres: Float[Tensor, "f 2"]) -> Float[Tensor, "f"]:
    """How large the subject of each frame is, in the size of the first one's: where the two look most alike.

    The square around the first centre against squares of several sizes around the other, by correlation.
    """
    frames, centres = frames.float().cpu(), centres.float().cpu()
    first = _squares(frames[:1], centres[:1], torch.ones(1))
    found = [1.0]
    for frame, centre in zip(frames[1:], centres[1:], strict=True):
        sizes = torch.from_numpy(GROWTHS).float()
        others = _squares(frame.expand(len(sizes), -1, -1, -1), centre.expand(len(sizes), -1), sizes)
        found.append(float(sizes[(others @ first.T).argmax()]))
    return torch.tensor(found)


def shown_motion(frames: Float[Tensor, "f 3 h w"], oracle: Oracle) -> str:
    """One of `MOTIONS`, or `STILL`."""
    centres = oracle.judge(frames).centres
    return motion_of(centres, growth_of(frames, centres))


@cache
def _paths(name: str, num_frames: int) -> Float[np.ndarray, "n f 3"]:
    """Of every reach, beginning on either side."""
    paths = np.stack([_path(name, reach, num_frames) for reach in REACHES])
    return np.concatenate([paths, paths * [-1, 1, 1]])


def _path(name: str, reach: float, num_frames: int) -> Float[np.ndarray, "f 3"]:
    poses = [MOTIONS[name].pose(i / max(1, num_frames - 1), float(reach)) for i in range(num_frames)]
    # feet stay on the ground, so what grows rises by its half-height
    return _centred(np.array([(p.dx, p.dy - BODY * (p.scale - 1), BODY * np.log(p.scale)) for p in poses]))


def _centred(path: Float[np.ndarray, "f 3"]) -> Float[np.ndarray, "f 3"]:
    """Where it rests, or how large it is on the whole, does not count."""
    return path - path.mean(axis=0)


def _squares(
    frames: Float[Tensor, "b 3 h w"], centres: Float[Tensor, "b 2"], sizes: Float[Tensor, "b"], side: int = 16
) -> Float[Tensor, "b n"]:
    """Squares around the centres as unit vectors, without their mean."""
    line = torch.linspace(-2 * HALF, 2 * HALF, side)
    grid = torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)
    where = grid * rearrange(sizes, "b -> b 1 1 1") + rearrange(2 * centres - 1, "b n -> b 1 1 n")
    seen = F.grid_sample(frames, where, align_corners=False, padding_mode="border").flatten(1)
    return F.normalize(seen - seen.mean(dim=1, keepdim=True), dim=1)
