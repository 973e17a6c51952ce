import pytest
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionPipeline
from einops import rearrange

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.methods.frame_wise import FrameWise
from giftune.methods.workspace import noise_like
from tests.checkpoints import SCHEDULER

PROMPT = "a panda is surfing"


@pytest.fixture
def backbone(folders):
    return load_backbone(folders["sd1"], device="cpu")


def parts(backbone) -> dict:
    names = ("vae", "text_encoder", "tokenizer", "unet")
    scheduler = DDIMScheduler.from_config(SCHEDULER)
    extra = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    return {name: getattr(backbone, name) for name in names} | {"scheduler": scheduler} | extra


def latents_of(method: FrameWise, clip: Clip, prompt: str, generator: torch.Generator) -> torch.Tensor:
    found = []
    method.workspace.decode = lambda latents: found.append(latents) or torch.zeros(1, len(clip), 3, 8, 8)
    list(method.edit(clip, [prompt], generator))
    return rearrange(found[0], "1 c f h w -> f c h w")


def test_sdedit_is_image_to_image_of_diffusers_on_each_frame(backbone, clip, rng) -> None:
    pipeline = StableDiffusionImg2ImgPipeline(**parts(backbone))
    pipeline.set_progress_bar_config(disable=True)
    mean = FrameWise(backbone, num_steps=10, inversion_steps=10).workspace.posterior(clip)[0]
    noise = noise_like(mean, torch.Generator().manual_seed(0))
    plain = load_backbone(backbone.source, device="cpu")
    pipeline.register_modules(unet=plain.unet)
    theirs = []
    for index in range(len(clip)):
        pipeline.prepare_latents = lambda image, t, *_, i=index: pipeline.scheduler.add_noise(
            mean[:, :, i], noise[:, :, i], t
        )
        picture = clip.frames[index : index + 1]
        theirs.append(
            pipeline(
                PROMPT,
                picture,
                strength=0.65,
                num_inference_steps=10,
                guidance_scale=3.0,
                output_type="latent",
            ).images
        )
    method = FrameWise(
        load_backbone(backbone.source, device="cpu"), strength=0.65, num_steps=10, inversion_steps=10,
        guidance=3.0,
    )  # fmt: skip
    ours = latents_of(method, clip, PROMPT, rng)
    torch.testing.assert_close(ours, torch.cat(theirs), atol=1e-4, rtol=0)


def test_inverted_frames_are_sampled_as_diffusers_does(backbone, clip, rng) -> None:
    pipeline = StableDiffusionPipeline(**parts(load_backbone(backbone.source, device="cpu")))
    pipeline.set_progress_bar_config(disable=True)
    method = FrameWise(backbone, start="inversion", num_steps=10, inversion_steps=10, guidance=3.0)
    mean, _ = method.workspace.posterior(clip)
    noise = method.workspace.inverted(method.network, mean, 10)
    theirs = [
        pipeline(
            PROMPT, height=16, width=24, num_inference_steps=10, guidance_scale=3.0, latents=noise[:, :, i],
            output_type="latent",
        ).images
        for i in range(len(clip))
    ]  # fmt: skip
    ours = latents_of(method, clip, PROMPT, rng)
    torch.testing.assert_close(ours, torch.cat(theirs), atol=1e-4, rtol=0)


@pytest.mark.slow
def test_inversion_leads_back_to_the_source(rng) -> None:
    clip = make_clip("fox", "beach", motion="jump", num_frames=2).clip
    backbone = load_backbone("emojiworld", device="cpu")
    method = FrameWise(backbone, start="inversion", num_steps=30, inversion_steps=30, guidance=1.0)
    edited = next(method.edit(clip, [""], rng))
    assert F.mse_loss(edited.frames, clip.frames) < 0.02


def test_a_frame_does_not_depend_on_the_others(backbone, clip) -> None:
    method = FrameWise(backbone, start="inversion", num_steps=3, inversion_steps=3)
    together = next(method.edit(clip, [PROMPT], torch.Generator().manual_seed(0)))
    pair = next(method.edit(clip[1:3], [PROMPT], torch.Generator().manual_seed(0)))
    torch.testing.assert_close(together.frames[1:3], pair.frames, atol=1e-4, rtol=0)


def test_less_strength_keeps_more(backbone, clip) -> None:
    errors = []
    for strength in (0.2, 0.5, 1.0):
        method = FrameWise(
            load_backbone(backbone.source, device="cpu"), strength=strength, num_steps=10, inversion_steps=10,
            guidance=1.0,
        )  # fmt: skip
        mean = rearrange(method.workspace.posterior(clip)[0], "1 c f h w -> f c h w")
        found = latents_of(method, clip, "", torch.Generator().manual_seed(0))
        errors.append(float(F.mse_loss(found, mean)))
    assert errors == sorted(errors) and errors[0] < errors[-1] / 2


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"strength": 0.0}, "strength is 0.0"),
        ({"strength": 1.5}, "strength is 1.5"),
        ({"strength": 0.1}, "at least one of 4 steps"),
        ({"num_steps": 0}, "num_steps is 0"),
    ],
)
def test_bad_settings_are_refused(backbone, settings, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        FrameWise(backbone, **{"num_steps": 4, "inversion_steps": 4, **settings})
