import pytest
import torch
from diffusers import (
    AnimateDiffPipeline,
    AnimateDiffVideoToVideoPipeline,
    DDIMScheduler,
    LCMScheduler,
    MotionAdapter,
)
from diffusers.pipelines.animatediff import pipeline_animatediff_video2video as video2video
from einops import rearrange

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.methods.animatediff import AnimateDiff
from giftune.methods.base import Editor, Tunable
from tests.motion_checkpoints import LORA, SDXL, build_adapter, build_animatelcm, write_config

PROMPT, SEED = "a panda is surfing", 5
NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear", "steps_offset": 1}
TOLERANCE = {"rtol": 0, "atol": 1e-4}


@pytest.fixture(scope="module")
def adapter(tmp_path_factory):
    return build_adapter(tmp_path_factory.mktemp("adapter"))


@pytest.fixture(scope="module")
def animatelcm(folders, tmp_path_factory):
    unet = load_backbone(folders["sd1"], device="cpu").unet
    return build_animatelcm(tmp_path_factory.mktemp("animatelcm"), unet)


@pytest.fixture
def make(folders, adapter):
    def call(adapter=adapter, kind="sd1", dtype="float32", **settings) -> AnimateDiff:
        backbone = load_backbone(folders[kind], device="cpu", dtype=dtype)
        return AnimateDiff(backbone, adapter, **{"num_steps": 6, "guidance": 3.0, **settings})

    return call


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(SEED)


def latents_of(method, clip, prompts=(PROMPT,)) -> torch.Tensor:
    found = []
    decode = method.workspace.decode
    method.workspace.decode = lambda latents: found.append(latents) or decode(latents)
    list(method.edit(clip, list(prompts), seeded()))
    method.workspace.decode = decode
    return torch.cat(found)


def reference(kind, folder, adapter, scheduler):
    """The pipeline of diffusers on the same weights, with the motion adapter read its own way."""
    loaded = load_backbone(folder, device="cpu")
    pipeline = kind(
        vae=loaded.vae, text_encoder=loaded.text_encoder, tokenizer=loaded.tokenizer, unet=loaded.unet,
        motion_adapter=MotionAdapter.from_pretrained(adapter, local_files_only=True), scheduler=scheduler,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def generated(pipeline, clip, steps, guidance=3.0) -> torch.Tensor:
    return pipeline(
        PROMPT, num_frames=len(clip), height=clip.height, width=clip.width, num_inference_steps=steps,
        guidance_scale=guidance, generator=seeded(), output_type="latent",
    ).frames  # fmt: skip


@pytest.mark.parametrize(("kind", "guidance"), [("sd1", 3.0), ("sd1", 1.0), ("sd2", 3.0)])
def test_text_to_video_equals_diffusers(make, folders, adapter, clip, kind, guidance):
    """Greatest difference in latents found here and in the next two: 5e-6, allowed 1e-4."""
    predicts = {"prediction_type": "v_prediction"} if kind == "sd2" else {}
    pipeline = reference(
        AnimateDiffPipeline, folders[kind], adapter, DDIMScheduler(**NOISE, **predicts, clip_sample=False)
    )
    ours = latents_of(make(kind=kind, guidance=guidance), clip)
    torch.testing.assert_close(ours, generated(pipeline, clip, 6, guidance), **TOLERANCE)


def test_animatelcm_equals_diffusers(make, folders, animatelcm, clip):
    pipeline = reference(AnimateDiffPipeline, folders["sd1"], animatelcm, LCMScheduler(**NOISE))
    pipeline.load_lora_weights(animatelcm, weight_name=LORA, adapter_name="lcm", local_files_only=True)
    ours = latents_of(make(animatelcm, lora=LORA, lora_scale=0.8, sampler="lcm", guidance=2.0), clip)
    pipeline.set_adapters(["lcm"], [0.7])
    assert (ours - generated(pipeline, clip, 6, 2.0)).abs().max() > 1e-3
    pipeline.set_adapters(["lcm"], [0.8])  # beside the weights, which rounds otherwise
    torch.testing.assert_close(ours, generated(pipeline, clip, 6, 2.0), rtol=1e-4, atol=1e-4)
    pipeline.set_adapters(["lcm"], [1.0])
    pipeline.fuse_lora(lora_scale=0.8)
    torch.testing.assert_close(ours, generated(pipeline, clip, 6, 2.0), **TOLERANCE)


@pytest.mark.parametrize("sampler", ["ddim", "lcm"])
@pytest.mark.parametrize("strength", [0.8, 0.35, 1.0])
def test_video_to_video_equals_diffusers(make, folders, adapter, clip, monkeypatch, sampler, strength):
    method = make(form="edit", strength=strength, sampler=sampler)
    ours = latents_of(method, clip)
    scheduler = DDIMScheduler(**NOISE, clip_sample=False) if sampler == "ddim" else LCMScheduler(**NOISE)
    pipeline = reference(AnimateDiffVideoToVideoPipeline, folders["sd1"], adapter, scheduler)
    generator = seeded()

    def first_noise(shape, generator, device, dtype):
        b, f, c, h, w = shape  # noise is drawn in another order there
        return rearrange(torch.randn(b, c, f, h, w, generator=generator), "b c f h w -> b f c h w")

    monkeypatch.setattr(video2video, "randn_tensor", first_noise)
    monkeypatch.setattr(video2video, "retrieve_latents", lambda output, **_: output.latent_dist.mode())
    theirs = pipeline(
        [(clip.frames + 1) / 2], PROMPT, height=clip.height, width=clip.width,
        num_inference_steps=6, strength=strength, guidance_scale=3.0, generator=generator,
        output_type="latent",
    ).frames  # fmt: skip
    torch.testing.assert_close(ours, theirs, **TOLERANCE)
    assert (ours - latents_of(make(sampler=sampler), clip)).abs().max() > 1e-2


def test_generating_takes_only_size_and_timing_from_the_source(make, clip):
    other = Clip(-clip.frames, clip.durations_ms, clip.loop, "other")
    method = make()
    assert torch.equal(latents_of(method, clip), latents_of(method, other))
    edited = make(form="edit", strength=0.5)
    assert (latents_of(edited, clip) - latents_of(edited, other)).abs().max() > 1e-2
    (drawn,) = method.edit(clip, [PROMPT], seeded())
    assert drawn.frames.shape == clip.frames.shape
    assert (drawn.durations_ms, drawn.loop) == (clip.durations_ms, clip.loop)


def test_little_strength_keeps_the_source(make, clip):
    mean, _ = make().workspace.posterior(clip)
    found = [latents_of(make(form="edit", strength=s, num_steps=20), clip) for s in (0.05, 0.3, 0.9)]
    distances = [(latents - mean).square().mean() for latents in found]
    assert distances[0] < distances[1] < distances[2] and distances[0] < 0.05


@pytest.mark.parametrize("sampler", ["ddim", "lcm"])
def test_an_edit_does_not_depend_on_the_others(make, clip, sampler):
    prompts = ["a cat runs", "a red ball", PROMPT]
    alone = latents_of(make(sampler=sampler), clip, [PROMPT])
    for batch_size in (2, 3):
        together = latents_of(make(sampler=sampler, batch_size=batch_size), clip, prompts)
        assert len(together) == 3
        torch.testing.assert_close(together[2:], alone, rtol=1e-4, atol=1e-4)
        assert not torch.allclose(together[:1], together[1:2], atol=1e-3)


def test_frames_know_of_each_other(make, clip):
    """The same noise in the first frame, another in the last: without motion modules nothing would change."""
    method = make()
    noise = torch.randn(1, 4, 3, 2, 3, generator=seeded())
    other = torch.cat([noise[:, :, :2], -noise[:, :, 2:]], dim=2)
    text = method.workspace.text([PROMPT])
    here, there = method._predict(noise, 500, text), method._predict(other, 500, text)
    assert (here[:, :, 0] - there[:, :, 0]).abs().max() > 1e-4


def test_progress_counts_the_steps_that_are_made(make, clip):
    seen = []
    method = make(form="edit", strength=0.5, batch_size=1)
    list(method.edit(clip, ["a cat", "a ball"], seeded(), lambda *report: seen.append(report)))
    assert seen == [("sampling", done, 6) for done in range(1, 7)]


def test_half_precision_stays_close(make, clip):
    full, half = latents_of(make(), clip), latents_of(make(dtype="bfloat16"), clip)
    assert half.dtype == torch.float32
    assert 0 < (half - full).abs().mean() < 0.1 * full.abs().mean()


def test_it_learns_nothing(make):
    method = make()
    assert isinstance(method, Editor) and not isinstance(method, Tunable)
    assert not any(parameter.requires_grad for parameter in method.network.parameters())


def test_too_many_frames_for_the_positional_code(make, clip):
    long = Clip(clip.frames.repeat(3, 1, 1, 1)[:7], (50,) * 7)
    with pytest.raises(InputError, match="num_frames is 7, but the motion adapter knows at most 6 frames"):
        next(make().edit(long, [PROMPT], seeded()))


def test_an_adapter_for_another_base_is_refused_before_anything_is_read(make, tmp_path):
    write_config(tmp_path, **SDXL)  # there are no weights to read
    with pytest.raises(InputError, match=r"320, 640, 1280 channels \(Stable Diffusion XL\), the backbone"):
        make(tmp_path)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"form": "edit", "strength": 0.0}, "strength is 0.0, it must be at most 1"),
        ({"form": "edit", "strength": 1.5}, "strength is 1.5"),
        ({"form": "edit", "strength": 0.1}, "at least one of 6 steps"),
        ({"sampler": "lcm", "num_steps": 51}, "num_steps is 51, it must be between 1 and 50"),
        ({"num_steps": 0}, "num_steps is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"lora": "missing.safetensors"}, "has no missing.safetensors: download .*wangfuyun/AnimateLCM"),
    ],
)
def test_settings_out_of_range(make, settings, message):
    with pytest.raises(InputError, match=message):
        make(**settings)
