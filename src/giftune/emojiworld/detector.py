"""A detector of EmojiWorld's subjects, for measuring only: how many there are, where, and of which kind.

Peaks of a heat map of centres, as in CenterNet (Zhou et al. 2019, "Objects as Points", sections 3 and 4),
with one map for subjects of any kind and the kind read off beside it: an edit may leave a subject between two
kinds, and with a map for each kind it would count twice.
"""

from importlib.resources import files
from typing import NamedTuple

import torch
from jaxtyping import Float
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn import functional as F

from giftune.emojiworld.oracle import Residual
from giftune.emojiworld.sprites import SUBJECTS

SIDE = 64  # pixels of the frames that it sees
CELLS = 16  # of its maps along a side
THRESHOLD = 0.45  # of a peak; chosen for the right count on scenes that neither training nor test has


class Detection(NamedTuple):
    """One subject that was found; `x`, `y` of the middle of what is seen of it are fractions of the sides."""

    kind: str
    x: float
    y: float
    score: float


class Maps(NamedTuple):
    """What the network says for each cell."""

    centre: Float[Tensor, "b h w"]  # logit of a centre being here
    kind: Float[Tensor, "b k h w"]  # logits of the subjects
    offset: Float[Tensor, "b 2 h w"]  # (x, y) of the centre from the cell's middle, in cells


class Detector(nn.Module):
    """A small residual network with one look at half the resolution; frames in [-1, 1]."""

    def __init__(self, widths: tuple[int, int, int] = (24, 48, 80)):
        super().__init__()
        w1, w2, w3 = widths
        self.fine = nn.Sequential(_down(3, w1), Residual(w1), _down(w1, w2), Residual(w2), Residual(w2))
        self.coarse = nn.Sequential(_down(w2, w3), Residual(w3), nn.Conv2d(w3, w2, 1))
        self.merged = Residual(w2)
        self.head = nn.Sequential(
            nn.Conv2d(w2, w2, 3, padding=1, bias=False), nn.BatchNorm2d(w2), nn.ReLU(),
            nn.Conv2d(w2, 1 + len(SUBJECTS) + 2, 1),
        )  # fmt: skip
        last = self.head[-1]
        assert isinstance(last, nn.Conv2d) and last.bias is not None
        nn.init.constant_(last.bias[:1], -4.0)  # centres are rare: focal loss starts without a burst

    def forward(self, frames: Float[Tensor, "b 3 h w"]) -> Maps:
        fine = self.fine(frames)
        features = self.merged(fine + F.interpolate(self.coarse(fine), scale_factor=2.0))
        centre, kind, offset = self.head(features).split([1, len(SUBJECTS), 2], dim=1)
        return Maps(centre[:, 0], kind, offset)

    @torch.no_grad()
    def detect(self, frames: Float[Tensor, "b 3 h w"], threshold: float = THRESHOLD) -> list[list[Detection]]:
        """The subjects of each frame, the surest first."""
        if frames.shape[-2:] != (SIDE, SIDE):
            frames = F.interpolate(frames, (SIDE, SIDE), mode="bicubic", antialias=True)
        return peaks(self.eval()(frames), threshold)


def peaks(maps: Maps, threshold: float) -> list[list[Detection]]:
    """Cells that no neighbour exceeds, over the threshold: 3 x 3 max pooling in place of suppression."""
    heat = maps.centre.float().sigmoid()
    highest = F.max_pool2d(heat[:, None], 3, stride=1, padding=1)[:, 0]
    found: list[list[Detection]] = [[] for _ in heat]
    taken: list[list[tuple[int, int]]] = [[] for _ in heat]
    h, w = heat.shape[1:]
    for b, row, column in ((heat == highest) & (heat > threshold)).nonzero().tolist():
        if any(max(abs(row - r), abs(column - c)) < 2 for r, c in taken[b]):
            continue  # as high as a neighbour that was counted
        taken[b].append((row, column))
        dx, dy = maps.offset[b, :, row, column].tolist()
        kind = list(SUBJECTS)[int(maps.kind[b, :, row, column].argmax())]
        x, y = (column + 0.5 + dx) / w, (row + 0.5 + dy) / h
        found[b].append(Detection(kind, x, y, float(heat[b, row, column])))
    return [sorted(each, key=lambda one: -one.score) for each in found]


def _down(narrow: int, wide: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(narrow, wide, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
    )


def load_detector() -> Detector:
    """The shipped weights."""
    detector = Detector()
    weights = files("giftune.emojiworld").joinpath("assets/detector.safetensors").read_bytes()
    detector.load_state_dict(load(weights))
    return detector.eval().requires_grad_(False)
