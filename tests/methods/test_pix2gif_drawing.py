"""What Pix2Gif draws from one picture, and its weights on disk."""

import pytest
import torch
from safetensors.torch import load_file

from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.diffusion.noise import shared
from giftune.errors import InputError
from giftune.methods.pix2gif import Pix2Gif
from giftune.methods.workspace import Workspace
from giftune.sampling.sampler import sample

SETTINGS = {"num_steps": 2, "flow_width": 8, "motion": 9}


@pytest.fixture
def make(folders):
    def make(**settings) -> Pix2Gif:
        return Pix2Gif(load_backbone(folders["sd1"], device="cpu"), **{**SETTINGS, **settings})

    return make


@pytest.fixture
def clip(rng):
    return Clip(torch.rand(3, 3, 32, 64, generator=rng) * 2 - 1, (100, 200, 300), loop=3)


def drawn(method, clip, prompts=("a cat runs",), seed=0):
    return list(method.edit(clip, list(prompts), torch.Generator().manual_seed(seed)))


def disturb(method):
    """As if it had been trained: nothing new is the identity any more."""
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for p in method.network.parameters():
            p.add_(0.05 * torch.randn(p.shape, generator=generator))
        for name, b in method.network.named_buffers():
            if "running" in name:
                b.add_(0.1 * torch.rand(b.shape, generator=generator))
    return method


def test_at_the_start_with_scales_of_1_it_is_the_image_model(make, clip):
    method = make(guidance=1.0, image_guidance=1.0, sentence="")
    (found,) = drawn(method, clip)
    plain = load_backbone(method.backbone.source, device="cpu")
    workspace, start = Workspace(plain), shared((1, 4, 3, 4, 8), torch.Generator().manual_seed(0))
    text = workspace.text(["a cat runs"])
    with torch.no_grad():
        one = sample(
            lambda x, t: plain.unet(x[:, :, 0], t, text).sample[:, :, None],
            start[:, :, :1],
            plain.schedule,
            2,
        )
    expected = workspace.decode(one)[0, 0]
    for frame in found.frames:
        torch.testing.assert_close(frame, expected, rtol=0, atol=1e-4)
    assert (found.durations_ms, found.loop, found.name) == (clip.durations_ms, clip.loop, clip.name)


def test_three_branches_are_combined(make, clip):
    method = disturb(make(guidance=7.5, image_guidance=1.8))
    method.network.eval()
    with torch.no_grad():
        source = method._unscaled(method.workspace.posterior(clip[:1])[0][:, :, 0])
        latents = torch.randn(1, 4, 2, 4, 8, generator=torch.Generator().manual_seed(3))
        found = method._denoiser(source, "a cat runs", (4, 9))(latents, 500)
        for frame, (motion, word) in enumerate(((4, "four"), (9, "nine"))):
            empty = method.workspace.text([""])
            text = method.workspace.text([f"a cat runs The optical flow is {word}."])
            nothing, image, both = (
                method.network(
                    latents[:, :, frame], 500, method.network.conditions(pic, txt, torch.tensor([motion]))
                )
                for pic, txt in ((0 * source, empty), (source, empty), (source, text))
            )
            expected = nothing + 1.8 * (image - nothing) + 7.5 * (both - image)
            torch.testing.assert_close(found[:, :, frame], expected, rtol=1e-3, atol=1e-3)


def test_frames_share_their_noise_and_differ_by_motion_alone(make, clip):
    method = disturb(make(schedule="even", motion=9))
    (found,) = drawn(method, clip)
    assert not torch.allclose(found.frames[0], found.frames[2], atol=1e-3)
    method.motion = 2
    (still,) = drawn(method, clip)
    torch.testing.assert_close(still.frames[0], still.frames[2], rtol=0, atol=1e-4)
    method.same_noise = False
    (noisy,) = drawn(method, clip)
    assert not torch.allclose(noisy.frames[0], noisy.frames[2], atol=1e-3)


def test_only_the_first_frame_of_the_clip_counts(make, clip):
    method = disturb(make())
    first, again = drawn(method, clip, ("a cat", "the beach"))
    assert not torch.allclose(first.frames, again.frames, atol=1e-3)
    other = clip.with_frames(torch.cat([clip.frames[:1], -clip.frames[1:]]))
    torch.testing.assert_close(drawn(method, other)[0].frames, drawn(method, clip)[0].frames)
    other = clip.with_frames(torch.cat([-clip.frames[:1], clip.frames[1:]]))
    assert not torch.allclose(drawn(method, other)[0].frames, drawn(method, clip)[0].frames, atol=1e-3)


@pytest.mark.parametrize("variant", ["base", "full"])
def test_what_is_saved_draws_the_same(make, clip, tmp_path, variant):
    method = disturb(make(variant=variant, motion_range=[2, 12]))
    method.save(tmp_path / "w.safetensors", steps=3)
    tensors = load_file(tmp_path / "w.safetensors")
    assert ("warp.flow.conv0.1.running_mean" in tensors) == (variant == "full")
    again = make(variant=variant, weights=str(tmp_path / "w.safetensors"))
    assert torch.equal(drawn(again, clip)[0].frames, drawn(method, clip)[0].frames)
    with pytest.raises(InputError, match=f"was tuned with variant '{variant}', but here variant is 'warp'"):
        make(variant="warp", weights=tmp_path / "w.safetensors")


def test_a_motion_that_was_not_trained_is_said(make, clip, tmp_path):
    make(motion_range=[2, 12]).save(tmp_path / "w.safetensors")
    method = make(weights=tmp_path / "w.safetensors", motion=14)
    with pytest.warns(UserWarning, match="motion 14 is outside of the trained range, 2 to 11 pixels"):
        drawn(method, clip)
    method.motion = 2000
    with pytest.raises(InputError, match="motion is 2000, it must be between 0 and 1023"), pytest.warns():
        drawn(method, clip)
