"""The oracle: a classifier of EmojiWorld's frames, for measuring only, never for training a generator."""

from importlib.resources import files
from typing import NamedTuple

import torch
from jaxtyping import Float
from safetensors.torch import load
from torch import Tensor, nn

from giftune.emojiworld.backgrounds import BACKGROUNDS
from giftune.emojiworld.sprites import SUBJECTS
from giftune.emojiworld.styles import STYLES

CLASSES = {"subject": list(SUBJECTS), "background": list(BACKGROUNDS), "style": list(STYLES)}


class Verdict(NamedTuple):
    """What a frame shows: one name of each attribute, and the subject's centre in fractions of the side."""

    subject: list[str]
    background: list[str]
    style: list[str]
    centres: Float[Tensor, "b 2"]


class Oracle(nn.Module):
    """A small residual network; 64 x 64 frames in [-1, 1] to logits by attribute and the subject's (x, y)."""

    def __init__(self, widths: tuple[int, int, int] = (32, 64, 128)):
        super().__init__()
        w1, w2, w3 = widths
        self.fine = nn.Sequential(
            nn.Conv2d(3, w1, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(w1), nn.ReLU(),
            Residual(w1),
            nn.Conv2d(w1, w2, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(w2), nn.ReLU(),
            Residual(w2), Residual(w2),
        )  # fmt: skip
        self.coarse = nn.Sequential(
            nn.Conv2d(w2, w3, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(w3), nn.ReLU(),
            Residual(w3), Residual(w3),
        )  # fmt: skip
        self.attention = nn.Conv2d(w3, 1, 1)
        self.heads = nn.ModuleDict({name: nn.Linear(3 * w3, len(c)) for name, c in CLASSES.items()})

    def forward(
        self, frames: Float[Tensor, "b 3 h w"]
    ) -> tuple[dict[str, Float[Tensor, "b k"]], Float[Tensor, "b 2"]]:
        pooled, centres = self.features(frames)
        return {name: head(pooled) for name, head in self.heads.items()}, centres

    def features(self, frames: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b d"], Float[Tensor, "b 2"]]:
        """What the heads read, and the subject's centre."""
        features = self.coarse(self.fine(frames))
        where = self.attention(features).flatten(2).softmax(dim=-1)  # b 1 (h w)
        h, w = features.shape[-2:]
        x = (torch.arange(w, device=frames.device) + 0.5) / w
        y = (torch.arange(h, device=frames.device) + 0.5) / h
        grid = torch.stack([x.expand(h, w), y[:, None].expand(h, w)]).flatten(1)  # 2 (h w)
        centres = torch.einsum("bqn,cn->bc", where, grid)
        subject = torch.einsum("bqn,bcn->bc", where, features.flatten(2))
        pooled = torch.cat([subject, features.mean(dim=(2, 3)), features.amax(dim=(2, 3))], dim=1)
        return pooled, centres

    @torch.no_grad()
    def judge(self, frames: Float[Tensor, "b 3 h w"]) -> Verdict:
        if frames.shape[-2:] != (64, 64):
            frames = nn.functional.interpolate(frames, (64, 64), mode="bicubic", antialias=True)
        logits, centres = self.eval()(frames)
        names = {name: [CLASSES[name][i] for i in logits[name].argmax(dim=1).tolist()] for name in CLASSES}
        return Verdict(**names, centres=centres)


class Residual(nn.Sequential):
    def __init__(self, width: int):
        super().__init__(
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip

    def forward(self, x: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
        return torch.relu(x + super().forward(x))


def load_oracle() -> Oracle:
    """The shipped weights."""
    oracle = Oracle()
    weights = files("giftune.emojiworld").joinpath("assets/oracle.safetensors").read_bytes()
    oracle.load_state_dict(load(weights))
    return oracle.eval().requires_grad_(False)
