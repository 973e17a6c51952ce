"""Measure tuning and editing on Stable Diffusion 1.x at its full size against a reference recipe.

    python benchmarks/speed.py --work WORK --out docs/results/speed_cpu     # about an hour on two cores
    python benchmarks/speed.py --work WORK --out docs/results/speed_gpu --device cuda --frames 24 \\
        --size 512 --steps 12

The weights are random. The reference is this very code set to the official arithmetic and habits: autoencoder
and text encoder run in every step, frozen weights in float32 (under float16 autocast on a GPU), re-entrant
checkpointing, norms pooled over frames, temporal attention unfused, all parameters handed to the optimiser,
one prompt at a time. Every variant runs in a process of its own, in turn, several times over; the first step
of each is left out. Medians are compared within one run. Memory is the most that was taken: of the GPU, else
of the process, weights included.
"""

import argparse
import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import clip_grad_norm_
from torch.utils.checkpoint import checkpoint

from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.backbone.text import encode_prompts
from giftune.benchmark import memory
from giftune.cli.provenance import provenance
from giftune.clip import Clip
from giftune.diffusion.prediction import add_noise
from giftune.methods.giftune import GifTune
from giftune.unet.lora import Lora
from giftune.unet.temporal import TemporalAttention

LEARNING_RATE = 3e-5
PROMPTS = ["a panda is surfing", "a cat is surfing", "a robot is surfing", "a dog is surfing"]


@dataclass(frozen=True)
class Variant:
    dtype: str
    official: bool = False
    checkpointing: bool = False
    together: int = len(PROMPTS)  # prompts drawn at once
    compiled: bool = False
    rank: int | None = None  # of low-rank tuning


REFERENCE = Variant("float32", official=True, checkpointing=True, together=1)
VARIANTS = {
    "reference": REFERENCE,
    "reference, no checkpointing": replace(REFERENCE, checkpointing=False),
    "float32": Variant("float32"),
    "bfloat16": Variant("bfloat16"),
    "bfloat16, checkpointing": Variant("bfloat16", checkpointing=True),
    "bfloat16, low rank": Variant("bfloat16", rank=16),
    "bfloat16, one prompt at a time": Variant("bfloat16", together=1),
    "bfloat16, compiled": Variant("bfloat16", compiled=True),
}


@dataclass(frozen=True)
class Job:
    checkpoint: str
    device: str
    frames: int
    size: int
    steps: int
    threads: int


def measure(variant: Variant, job: Job) -> dict[str, float]:
    """Seconds of a tuning step, of an inversion step, and of a guided step for all prompts; peaks in MB."""
    torch.set_num_threads(job.threads)
    backbone = load_backbone(job.checkpoint, device=job.device, dtype=variant.dtype)
    options: dict[str, Any] = {"norm": "pooled" if variant.official else "per_frame"}
    method = GifTune(backbone, batch_size=variant.together, **options, **_options(variant))
    if variant.official:
        _unfuse(method.network)
    if variant.official and variant.checkpointing:
        method.network.unet.enable_gradient_checkpointing(partial(checkpoint, use_reentrant=True))
    generator = torch.Generator().manual_seed(0)
    clip = Clip(
        torch.rand(job.frames, 3, job.size, job.size, generator=generator) * 2 - 1, (100,) * job.frames
    )
    memory.peak()
    step = _official_step(method, clip) if variant.official else _step(method, clip)
    found = {"tuning": _seconds(step, job), "tuning_mb": memory.peak()}
    del step
    with torch.no_grad(), _precision(variant, job.device):
        latents, _ = method.workspace.posterior(clip)
        invert = method.workspace.denoiser(method.network, [""], 1.0)
        found["inverting"] = _seconds(lambda: invert(latents, 500), job)
        batches = [PROMPTS[i : i + variant.together] for i in range(0, len(PROMPTS), variant.together)]
        guide = [method.workspace.denoiser(method.network, batch, 12.5) for batch in batches]
        starts = [latents.repeat(len(batch), 1, 1, 1, 1) for batch in batches]
        found["guided"] = _seconds(lambda: [g(s, 500) for g, s in zip(guide, starts, strict=True)], job)
        found["editing_mb"] = memory.peak()
    return found


def _options(variant: Variant) -> dict[str, Any]:
    """Only those that differ from the defaults."""
    options: dict[str, Any] = {"gradient_checkpointing": variant.checkpointing and not variant.official}
    if variant.compiled:
        options["compile"] = True
    if variant.rank:
        options["lora"] = Lora(rank=variant.rank)
    return options


def _step(method: GifTune, clip: Clip) -> Callable[[], object]:
    batch = method.prepare(clip, "a man is surfing")
    learning = [p for p in method.network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=LEARNING_RATE, fused=True)
    generator = torch.Generator().manual_seed(1)

    def step() -> None:
        found = method.step(batch, generator)
        F.mse_loss(found.prediction, found.target).backward()
        clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad()

    return step


def _official_step(method: GifTune, clip: Clip) -> Callable[[], object]:
    network, backbone, schedule = method.network.train(), method.backbone, method.schedule
    everything = list(network.parameters())
    optimizer = torch.optim.AdamW(everything, lr=LEARNING_RATE)
    generator = torch.Generator().manual_seed(1)
    half = backbone.device.type == "cuda"
    scaler = torch.amp.GradScaler(enabled=half)

    def step() -> None:
        with torch.no_grad(), torch.autocast(backbone.device.type, torch.float16, enabled=half):
            latents = encode(backbone.vae, clip.frames.to(backbone.device)).sample(generator)[None]
            text = encode_prompts(backbone.tokenizer, backbone.text_encoder, ["a man is surfing"])
        noise = torch.randn(latents.shape, generator=generator).to(latents)
        t = torch.randint(1000, (1,), generator=generator).to(latents.device)
        noisy = add_noise(latents, noise, schedule.alpha_bar(t))
        with torch.autocast(backbone.device.type, torch.float16, enabled=half):
            prediction = network(noisy, t, text)
        scaler.scale(F.mse_loss(prediction.float(), noise)).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(everything, 1.0)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

    return step


def _unfuse(network: torch.nn.Module) -> None:
    """Temporal attention by softmax of a product, as the official code leaves it."""

    def unfused(forward: Callable[..., torch.Tensor], *inputs: Any) -> torch.Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return forward(*inputs)

    for module in network.modules():
        if isinstance(module, TemporalAttention):
            module.forward = partial(unfused, module.forward)  # type: ignore[method-assign]


def _precision(variant: Variant, device: str) -> Any:
    return torch.autocast(device, torch.float16, enabled=variant.official and device == "cuda")


def _seconds(work: Callable[[], object], job: Job) -> float:
    """The median of some steps, after one that is not counted."""
    taken = []
    for _ in range(job.steps + 1):
        started = time.perf_counter()
        work()
        if job.device == "cuda":
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken[1:])


def table(medians: dict[str, dict[str, float]]) -> str:
    columns = {
        "tuning": "tuning step, s",
        "guided": f"guided step of {len(PROMPTS)} prompts, s",
        "inverting": "inversion step, s",
        "tuning_mb": "memory of tuning, MB",
        "editing_mb": "memory of editing, MB",
    }
    first = medians["reference"]
    lines = ["| | " + " | ".join(columns.values()) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, row in medians.items():
        cells = [f"{row[c]:.3g} ({row[c] / first[c]:.2f} x)" for c in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--work", type=Path, required=True, help="where the checkpoint is made: 2.1 GB")
    parser.add_argument("--out", type=Path, help="without it the table is only printed")
    parser.add_argument("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS))
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--frames", type=int, default=4)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--steps", type=int, default=2, help="that are counted, of each kind")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    arguments = parser.parse_args()
    job = Job(
        str(_checkpoint(arguments.work)),
        arguments.device,
        arguments.frames,
        arguments.size,
        arguments.steps,
        arguments.threads,
    )
    spawn = multiprocessing.get_context("spawn")  # a fresh process each, so that peaks do not add up
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in arguments.variants}
    for _ in range(arguments.repeats):
        for name in arguments.variants:
            with spawn.Pool(1) as pool:
                runs[name].append(pool.apply(measure, (VARIANTS[name], job)))
            print(name, {key: round(value, 3) for key, value in runs[name][-1].items()}, flush=True)
    medians = {
        name: {key: statistics.median(run[key] for run in found) for key in found[0]}
        for name, found in runs.items()
    }
    facts = {"job": asdict(job) | {"checkpoint": "random"}, "repeats": arguments.repeats} | provenance()
    if "reference" in medians:
        print(table(medians))
    if arguments.out:
        content = {"facts": facts, "medians": medians, "runs": runs}
        arguments.out.with_suffix(".json").write_text(json.dumps(content, indent=1))


def _checkpoint(work: Path) -> Path:
    import sys

    sys.path.insert(0, str(Path(__file__).parents[1]))
    from tests.checkpoints import build_sd1_true_size

    folder = work / "sd1"
    return folder if (folder / "model_index.json").exists() else build_sd1_true_size(folder)


if __name__ == "__main__":
    main()
