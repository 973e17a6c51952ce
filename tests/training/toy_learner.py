"""The smallest thing that learns from many clips."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from giftune.clip import Clip
from giftune.data.clip_source import Skip, Unusable
from giftune.methods.base import Example


class Head(nn.Module):
    """One factor for each channel, and a running mean of what it has seen."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.full((3,), 0.5))
        self.unused = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(3))

    def forward(self, frames):
        self.seen.lerp_(frames.mean(dim=(0, 1, 3, 4)), 0.5)
        return frames * self.scale.reshape(3, 1, 1)


class ToyLearner:
    """Tells each frame from the one before; with `noise` both the batch and the loss draw at random."""

    def __init__(self, noise: float = 0.0, poison_step: int | None = None) -> None:
        self.network = nn.ModuleDict({"head": Head(), "frozen": nn.Linear(1, 1).requires_grad_(False)})
        self.device, self.noise, self.poison_step = torch.device("cpu"), noise, poison_step
        self.seen: list[float] = []

    def trainable(self):
        return ["head.scale", "head.unused"]

    def collate(self, examples, generator):
        frames = torch.stack([example.clip.frames for example in examples])
        return (frames + self.noise * torch.randn(frames.shape, generator=generator),)

    def losses(self, batch, generator):
        (frames,) = batch
        self.seen.append(frames.mean().item())
        told = self.network["head"](frames[:, :-1])
        target = frames[:, 1:] + self.noise * torch.randn(told.shape, generator=generator)
        if len(self.seen) - 1 == self.poison_step:
            told = told * float("nan")
        scale = self.network["head"].scale
        return {"next": ((told - target).square().mean(), 1.0), "size": (scale.square().mean(), 0.1)}

    def edit(self, clip, prompts, generator, on_progress=None):
        for _ in prompts:
            yield clip.with_frames((clip.frames * self.network["head"].scale.mean()).detach())

    def save(self, path, **facts):
        save_file(
            {"scale": self.network["head"].scale.detach()},
            Path(path),
            {key: str(fact) for key, fact in facts.items()},
        )

    def load(self, path):
        self.network["head"].scale.data = load_file(path)["scale"]

    start_from = load


class ToyClips:
    """Clips of noise, of which some cannot be used."""

    digest = ""

    def __init__(self, count: int | None = 10, bad=(), left_out=()) -> None:
        self.count, self.bad, self.left_out, self.read_numbers = count, set(bad), left_out, []

    def read(self, number, generator):
        self.read_numbers.append(number)
        if number in self.bad:
            raise Unusable(Skip(f"clip-{number}", "broken", f"clip-{number} is broken."))
        frames = torch.rand(3, 3, 4, 4, generator=torch.Generator().manual_seed(number)) * 2 - 1
        return Example(Clip(frames, (40, 40, 40), name=f"clip-{number}"), f"caption {number}", str(number))
