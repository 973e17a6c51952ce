"""Ways to tune and to edit whose speed is compared, and how one of them is timed: see speed.py.

The reference is this very code set to the official arithmetic and habits: autoencoder and text encoder run
in every step, frozen weights in float32 (under float16 autocast on a GPU), re-entrant checkpointing, norms
pooled over frames, temporal attention unfused, all parameters handed to the optimiser, one prompt at a time.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.utils import clip_grad_norm_
from torch.profiler import ProfilerActivity, profile
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.backbone.text import encode_prompts
from giftune.benchmark import memory
from giftune.clip import Clip
from giftune.diffusion.prediction import add_noise
from giftune.diffusion.windows import Windows
from giftune.methods.giftune import GifTune
from giftune.unet.lora import Lora
from giftune.unet.temporal import TemporalAttention
from giftune.unet.windowed import WindowedUNet

LEARNING_RATE = 3e-5
CAPTION = "a man is surfing"
PROMPTS = ["a panda is surfing", "a cat is surfing", "a robot is surfing", "a dog is surfing"]


@dataclass(frozen=True)
class Variant:
    dtype: str
    official: bool = False
    checkpointing: bool = False
    together: int = len(PROMPTS)  # prompts drawn at once
    compiled: bool = False
    rank: int | None = None  # of low-rank tuning
    window: int | None = None  # frames seen at once
    diffusers: bool = False  # its own pipeline for pictures, each frame one
    allocator: str = "usual"  # of ALLOCATORS: what becomes of freed memory


# Environments of a process: glibc reads them when it starts.
ALLOCATORS = {
    "usual": {},
    "keeps": {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "10000000000"},
    "gives back": {
        "MALLOC_ARENA_MAX": "1",
        "MALLOC_MMAP_THRESHOLD_": "1048576",
        "MALLOC_TRIM_THRESHOLD_": "1048576",
    },
}
REFERENCE = Variant("float32", official=True, checkpointing=True, together=1)
VARIANTS = {
    "reference": REFERENCE,
    "reference, no checkpointing": replace(REFERENCE, checkpointing=False),
    "diffusers, frames as pictures": Variant("float32", diffusers=True),
    "diffusers, bfloat16": Variant("bfloat16", diffusers=True),
    "float32": Variant("float32"),
    "bfloat16": Variant("bfloat16"),
    "bfloat16, freed memory kept": Variant("bfloat16", allocator="keeps"),
    "bfloat16, checkpointing": Variant("bfloat16", checkpointing=True),
    "bfloat16, checkpointing, freed memory given back": Variant(
        "bfloat16", checkpointing=True, allocator="gives back"
    ),
    "bfloat16, low rank": Variant("bfloat16", rank=16),
    "bfloat16, one prompt at a time": Variant("bfloat16", together=1),
    "bfloat16, least memory": Variant(
        "bfloat16", checkpointing=True, rank=16, together=1, allocator="gives back"
    ),
    "bfloat16, compiled": Variant("bfloat16", compiled=True),
}


@dataclass(frozen=True)
class Job:
    checkpoint: str
    device: str
    frames: int
    size: int
    steps: int  # that are counted, of each kind
    threads: int
    prompts: int = len(PROMPTS)
    profiled: bool = False


def measure(variant: Variant, job: Job) -> dict[str, Any]:
    """Seconds and floating-point operations of a step of each kind, the most memory in MB, and a matrix
    product's operations per second, which say what the machine can do.
    """
    torch.set_num_threads(job.threads)
    if variant.diffusers:
        return _measure_diffusers(variant, job)
    backbone = load_backbone(job.checkpoint, device=job.device, dtype=variant.dtype)
    options: dict[str, Any] = {"norm": "pooled" if variant.official else "per_frame"}
    method = GifTune(backbone, batch_size=variant.together, **options, **_options(variant))
    if variant.official:
        _make_official(method, variant.checkpointing)
    generator = torch.Generator().manual_seed(0)
    frames = torch.rand(job.frames, 3, job.size, job.size, generator=generator) * 2 - 1
    clip = Clip(frames, (100,) * job.frames)
    found: dict[str, Any] = {"matmul_flops": _matmul_flops(variant.dtype, job.device)}
    memory.peak()
    step = _official_step(method, clip) if variant.official else _step(method, clip)
    found |= _timed("tuning", step, job, variant.compiled) | {"tuning_mb": memory.peak()}
    del step
    for parameter in method.network.parameters():
        parameter.grad = None
    network = WindowedUNet(method.network, method.window) if variant.window else method.network
    with torch.no_grad(), _precision(variant, job.device):
        latents, _ = method.workspace.posterior(clip)
        invert = method.workspace.denoiser(network, [""], 1.0)
        found |= _timed("inverting", lambda: invert(latents, 500), job, variant.compiled)
        prompts = PROMPTS[: job.prompts]
        batches = [prompts[i : i + variant.together] for i in range(0, len(prompts), variant.together)]
        guide = [method.workspace.denoiser(network, batch, 12.5) for batch in batches]
        starts = [latents.repeat(len(batch), 1, 1, 1, 1) for batch in batches]
        found |= _timed(
            "guided",
            lambda: [g(s, 500) for g, s in zip(guide, starts, strict=True)],
            job,
            variant.compiled,
        )
        found["editing_mb"] = memory.peak()
    return found


def _options(variant: Variant) -> dict[str, Any]:
    """Only those that differ from the defaults."""
    options: dict[str, Any] = {"gradient_checkpointing": variant.checkpointing and not variant.official}
    if variant.compiled:
        options["compile"] = True
    if variant.rank:
        options["lora"] = Lora(rank=variant.rank)
    if variant.window:
        options["window"] = Windows(frames=variant.window)
    return options


def _step(method: GifTune, clip: Clip) -> Callable[[], object]:
    batch = method.prepare(clip, CAPTION)
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
            text = encode_prompts(backbone.tokenizer, backbone.text_encoder, [CAPTION])
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


def _make_official(method: GifTune, checkpointing: bool) -> None:
    """Temporal attention by softmax of a product, and checkpoints that lose the gradients of what is before
    the middle of the network, which itself is not checkpointed.
    """

    def unfused(forward: Callable[..., torch.Tensor], *inputs: Any) -> torch.Tensor:
        with sdpa_kernel(SDPBackend.MATH):
            return forward(*inputs)

    for module in method.network.modules():
        if isinstance(module, TemporalAttention):
            module.forward = partial(unfused, module.forward)  # type: ignore[method-assign]
    if checkpointing:
        unet = method.network.unet
        unet.enable_gradient_checkpointing(partial(checkpoint, use_reentrant=True))
        for module in unet.mid_block.modules():
            module.gradient_checkpointing = False


def _measure_diffusers(variant: Variant, job: Job) -> dict[str, Any]:
    """A guided step of diffusers' pipeline for pictures, as many as there are prompts times frames."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    dtype = getattr(torch, variant.dtype)
    memory.peak()
    backbone = load_backbone(job.checkpoint, device=job.device, dtype=variant.dtype)
    pipeline = StableDiffusionPipeline(
        vae=backbone.vae.to(dtype),
        text_encoder=backbone.text_encoder.to(dtype),
        tokenizer=backbone.tokenizer,
        unet=backbone.unet,
        scheduler=DDIMScheduler(beta_schedule="scaled_linear"),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    pipeline.set_progress_bar_config(disable=True)
    times = []

    def note(*_: Any) -> dict[str, Any]:
        _wait(job.device)
        times.append(time.perf_counter())
        return {}

    pipeline(
        PROMPTS[: job.prompts],
        num_images_per_prompt=job.frames,
        height=job.size,
        width=job.size,
        num_inference_steps=job.steps + 1,
        guidance_scale=12.5,
        output_type="latent",
        generator=torch.Generator().manual_seed(0),
        callback_on_step_end=note,
    )
    steps = [later - earlier for earlier, later in pairwise(times)]
    return {"guided": statistics.median(steps), "editing_mb": memory.peak()}


def _timed(name: str, work: Callable[[], object], job: Job, compiled: bool = False) -> dict[str, Any]:
    """The median of some steps, after one that is not timed but whose operations are counted."""
    with FlopCounterMode(display=False) as counter:
        work()
    if compiled:  # which it is not while operations are counted
        work()
    taken = []
    for _ in range(job.steps):
        _wait(job.device)
        started = time.perf_counter()
        work()
        _wait(job.device)
        taken.append(time.perf_counter() - started)
    found: dict[str, Any] = {name: statistics.median(taken), f"{name}_flop": counter.get_total_flops()}
    if job.profiled:
        found[f"{name}_shares"] = _shares(work, job.device)
    return found


def _shares(work: Callable[[], object], device: str) -> dict[str, float]:
    """Of the processor's or the GPU's own time, by operation, what takes more than a hundredth."""
    kinds = [ProfilerActivity.CPU] + [ProfilerActivity.CUDA] * (device == "cuda")
    with profile(activities=kinds) as seen:
        work()
    own = "self_device_time_total" if device == "cuda" else "self_cpu_time_total"
    times = {event.key: getattr(event, own) for event in seen.key_averages()}
    total = sum(times.values())
    ordered = sorted(times.items(), key=lambda pair: -pair[1])
    return {key: value / total for key, value in ordered if value > 0.01 * total}


def _matmul_flops(dtype: str, device: str, side: int = 2048) -> float:
    """Operations per second of a square matrix product, the best of five."""
    matrix = torch.randn(side, side, device=device, dtype=getattr(torch, dtype))
    best = float("inf")
    for _ in range(6):
        _wait(device)
        started = time.perf_counter()
        matrix @ matrix
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def _precision(variant: Variant, device: str) -> Any:
    return torch.autocast(device, torch.float16, enabled=variant.official and device == "cuda")


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
