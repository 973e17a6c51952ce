import pytest
import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, TextToVideoZeroPipeline
from einops import rearrange
from torch import nn

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.methods.controlled import StructuralControl
from giftune.methods.text2video_zero import Text2VideoZero, moved
from giftune.metrics.depth_network import DepthNetwork
from tests.checkpoints import SCHEDULER

PROMPT = "a panda is surfing"


@pytest.fixture
def square() -> Clip:
    frames = torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(3)) * 2 - 1
    return Clip(frames, (50,) * 4, name="square")


def latents_of(method: Text2VideoZero, clip: Clip, prompt: str, seed: int = 0) -> torch.Tensor:
    """What an edit decodes."""
    found = []
    method.workspace.decode = lambda latents: found.append(latents) or latents.new_zeros(1, 4, 3, 64, 64)
    list(method.edit(clip, [prompt], torch.Generator().manual_seed(seed)))
    return found[-1]


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_latents_are_those_of_diffusers(folders, square, kind) -> None:
    """Of its deprecated pipeline: same weights, same noise, same prompt."""
    steps, guidance, t0, t1 = 10, 3.0, 5, 7
    backbone = load_backbone(folders[kind], device="cpu")
    kind_of_target = {"prediction_type": backbone.schedule.prediction_type}
    scheduler = DDIMScheduler.from_config({**SCHEDULER, **kind_of_target})
    pipeline = TextToVideoZeroPipeline(
        backbone.vae, backbone.text_encoder, backbone.tokenizer, backbone.unet, scheduler, None, None, False
    )
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        PROMPT, video_length=4, height=64, width=64, num_inference_steps=steps, guidance_scale=guidance,
        motion_field_strength_x=70, motion_field_strength_y=-130, t0=t0, t1=t1, output_type="latent",
        generator=torch.Generator().manual_seed(0),
    ).images  # fmt: skip
    settings = {"motion_x": 70.0, "motion_y": -130.0, "t0": t0, "t1": t1}
    method = Text2VideoZero(backbone, **settings, num_steps=steps, guidance=guidance, inversion_steps=steps)
    ours = rearrange(latents_of(method, square, PROMPT), "1 c f h w -> f c h w")
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)
    assert (ours[0] - ours[3]).abs().max() > 0.1


def test_motion_is_a_shift_of_whole_latents() -> None:
    latents = torch.randn(2, 3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    once, twice = moved(latents, [(64.5, 0.5), (0.5, 128.5)]).unbind(dim=2)
    torch.testing.assert_close(once[..., :-1], latents[:, :, 0, :, 1:])  # 64 of 512 are one of 8
    torch.testing.assert_close(once[..., -1], latents[:, :, 0, :, -1])  # the edge is mirrored
    torch.testing.assert_close(twice[..., :-2, :], latents[:, :, 0, 2:, :])


def test_without_motion_and_with_noise_of_frame_one_all_frames_are_alike(folders, square) -> None:
    """The attention alone keeps them together: with the same latents every frame sees the same."""

    class Nothing(StructuralControl):
        def __init__(self):
            """Controls nothing."""

        def require_fit(self, backbone):
            """Fits all."""

        def network(self, network, clip):
            return network

    backbone = load_backbone(folders["sd1"], device="cpu")
    method = Text2VideoZero(backbone, start="shared_noise", control=Nothing(), num_steps=4, inversion_steps=4)
    frames = latents_of(method, square, PROMPT)
    torch.testing.assert_close(frames, frames[:, :, :1].expand_as(frames), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_inversion_keeps_the_source() -> None:
    """Without guidance the empty prompt leads back to where the inversion began, plain noise does not."""
    clip = make_clip("fox", "beach", motion="jump", num_frames=4).clip
    errors = {}
    for start in ("inversion", "motion_field"):
        backbone = load_backbone("emojiworld", device="cpu")
        method = Text2VideoZero(backbone, start=start, num_steps=30, inversion_steps=30, guidance=1.0)
        edited = next(method.edit(clip, [""], torch.Generator().manual_seed(0)))
        errors[start] = F.mse_loss(edited.frames, clip.frames)
    assert errors["inversion"] < 0.02 and errors["motion_field"] > 5 * errors["inversion"]


class Halves(DepthNetwork):
    """Finds the right half of every picture near."""

    def __init__(self):
        nn.Module.__init__(self)

    def measure(self, frames):
        depth = torch.zeros(len(frames), *frames.shape[-2:])
        depth[..., frames.shape[-1] // 2 :] = 1
        return depth


def test_background_smoothing_moves_frame_one_into_the_background_only(folders, square) -> None:
    starts = {}
    for share in (0.0, 0.5, 1.0):
        method = Text2VideoZero(
            backbone_copy(folders), background_smoothing=share, depth=Halves(), motion_x=0.5, motion_y=0.5,
            num_steps=8, inversion_steps=8,
        )  # fmt: skip

        def keep(clip, prompts, batch_size, num_steps, plan, *rest, share=share):
            starts[share] = plan(prompts)[1]
            return iter(())

        method.workspace.draw = keep
        list(method.edit(square, [PROMPT], torch.Generator().manual_seed(0)))
    plain, half, whole = starts[0.0], starts[0.5], starts[1.0]
    middle = plain.shape[-1] // 2
    torch.testing.assert_close(half[..., middle:], plain[..., middle:])
    still = plain[:, :, :1].expand_as(plain)  # half a 512th is no motion
    torch.testing.assert_close(whole[..., :middle], still[..., :middle])
    torch.testing.assert_close(half[..., :middle], ((plain + still) / 2)[..., :middle])


def backbone_copy(folders):
    return load_backbone(folders["sd1"], device="cpu")


def test_edits_have_the_frames_and_timing_of_the_clip_and_follow_seed_and_prompt(folders, clip) -> None:
    method = Text2VideoZero(backbone_copy(folders), num_steps=4, inversion_steps=4, batch_size=2)
    first, second = (
        list(method.edit(clip, ["a cat", "a panda"], torch.Generator().manual_seed(s))) for s in (0, 0)
    )
    assert [len(c) for c in first] == [3, 3] and first[0].durations_ms == clip.durations_ms
    assert torch.equal(first[0].frames, second[0].frames)
    assert not torch.equal(first[0].frames, first[1].frames)
    alone = next(iter(method.edit(clip, ["a panda"], torch.Generator().manual_seed(0))))
    torch.testing.assert_close(alone.frames, first[1].frames, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"t0": 3, "t1": 2}, "t0 is 3 and t1 2"),
        ({"t0": 3, "t1": 4}, r"num_steps \(4\)"),
        ({"background_smoothing": 0.4}, "needs start=motion_field and a depth network"),
        ({"background_smoothing": 1.4, "depth": Halves()}, "between 0 and 1"),
        ({"start": "shared_noise"}, "needs a control"),
        ({"batch_size": 0}, "batch_size is 0"),
    ],
)
def test_bad_settings_are_refused(folders, settings, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        Text2VideoZero(backbone_copy(folders), num_steps=4, inversion_steps=4, **settings)
