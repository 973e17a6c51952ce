import pytest
import torch
from diffusers import (
    DDIMScheduler,
    StableDiffusionAdapterPipeline,
    StableDiffusionControlNetPipeline,
)
from einops import rearrange

from giftune.attention.patterns import per_frame, sparse_causal
from giftune.backbone.control import load_control
from giftune.backbone.stable_diffusion import load_backbone
from giftune.emojiworld.oracle import load_oracle
from giftune.emojiworld.world import make_clip
from giftune.errors import InputError
from giftune.methods.controlled import Controlled, StructuralControl, no_control
from giftune.methods.signals import Depth, Edges
from giftune.methods.workspace import Workspace, noise_like
from giftune.metrics.features import load_depth
from giftune.sampling.sampler import sample
from giftune.unet.inflate import inflate
from tests.checkpoints import SCHEDULER
from tests.control_checkpoints import build_adapter, build_controlnet

PROMPTS = ["a panda is surfing", "a red ball"]


@pytest.fixture(scope="module")
def control_folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("control")
    return {"controlnet": build_controlnet(root / "c"), "adapter": build_adapter(root / "a")}


@pytest.fixture(params=["controlnet", "adapter"])
def control(request, control_folders):
    return load_control(control_folders[request.param], device="cpu")


@pytest.fixture
def backbone(folders):
    return load_backbone(folders["sd1"], device="cpu")


def half_grey(clip):
    return (clip.frames + 1) / 2


def pipeline(backbone, control):
    names = ("vae", "text_encoder", "tokenizer", "unet")
    kind = StableDiffusionControlNetPipeline if control.each_step else StableDiffusionAdapterPipeline
    built = kind(
        **{name: getattr(backbone, name) for name in names},
        **{"controlnet" if control.each_step else "adapter": control.network},
        scheduler=DDIMScheduler.from_config(SCHEDULER),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    built.set_progress_bar_config(disable=True)
    return built


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_frame_by_frame_it_is_the_pipeline_of_diffusers(backbone, folders, control, clip, rng, guidance):
    theirs, reference = [], pipeline(load_backbone(folders["sd1"], device="cpu"), control)
    workspace = Workspace(backbone)
    noise = noise_like(workspace.posterior(clip)[0], rng)
    scale = "controlnet_conditioning_scale" if control.each_step else "adapter_conditioning_scale"
    for prompt in PROMPTS:
        frames = [
            reference(
                prompt,
                image=(clip.frames[i : i + 1] + 1) / 2,
                latents=noise[:, :, i],
                height=clip.height,
                width=clip.width,
                num_inference_steps=5,
                guidance_scale=guidance,
                output_type="latent",
                **{scale: 0.7},
            ).images
            for i in range(len(clip))
        ]
        theirs.append(rearrange(torch.cat(frames), "f c h w -> c f h w"))

    network = inflate(backbone.unet, per_frame, temporal=False)
    structural = StructuralControl(control, half_grey, scale=0.7)
    structural.require_fit(backbone)
    with torch.no_grad():
        denoise = workspace.denoiser(structural.network(network, clip), PROMPTS, guidance)
        ours = sample(denoise, noise.expand(2, -1, -1, -1, -1), backbone.schedule, 5)
        late = StructuralControl(control, lambda clip: half_grey(clip).flip(0), scale=0.7)
        denoise = workspace.denoiser(late.network(network, clip), PROMPTS, guidance)
        other = sample(denoise, noise.expand_as(ours), backbone.schedule, 5)
    torch.testing.assert_close(ours, torch.stack(theirs), atol=1e-4, rtol=0)
    assert (ours - other)[:, :, [0, 2]].abs().max() > 1e-3


@torch.no_grad()
def test_at_scale_0_it_is_the_network_itself(backbone, control, clip):
    network = inflate(backbone.unet, sparse_causal)
    latents, text = torch.randn(2, 4, 3, 2, 3), torch.randn(2, 5, 16)
    controlled = StructuralControl(control, half_grey, scale=0.0).network(network, clip)
    torch.testing.assert_close(controlled(latents, 300, text), network(latents, 300, text))


@torch.no_grad()
def test_one_picture_serves_all_and_each_its_own(backbone, control, clip):
    network = inflate(backbone.unet, sparse_causal)
    structural = StructuralControl(control, half_grey)
    latents, text, t = torch.randn(2, 4, 3, 2, 3), torch.randn(2, 5, 16), torch.tensor([10, 800])
    one = structural.picture(clip)
    assert one.shape == (1, 3, 3, 16, 24)
    both = torch.cat([one, one.flip(2)])
    together = structural.attached(network, both)(latents, t, text)
    for i in range(2):
        part = slice(i, i + 1)
        alone = structural.attached(network, both[part])(latents[part], t[part], text[part])
        torch.testing.assert_close(together[part], alone, atol=1e-5, rtol=1e-4)
    shared = structural.attached(network, one)(latents, t, text)
    torch.testing.assert_close(shared[0], together[0])
    assert (shared[1] - together[1]).abs().max() > 1e-3
    # branches of guidance repeat the clips, one after the other
    again = structural.attached(network, both)(torch.cat([latents] * 2), t.repeat(2), torch.cat([text] * 2))
    torch.testing.assert_close(again, torch.cat([together] * 2), atol=1e-5, rtol=1e-4)


@torch.no_grad()
def test_words_behind_the_text_are_for_the_video_network_alone(backbone, control, clip):
    network = inflate(backbone.unet, sparse_causal, transformer=True)
    latents, text, words = torch.randn(2, 4, 3, 2, 3), torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    controlled = StructuralControl(control, half_grey).network(network, clip)
    found = controlled(latents, 300, torch.cat([text, words], dim=-1))
    torch.testing.assert_close(found, controlled(latents, 300, torch.cat([text, -words], dim=-1)))
    assert (found - controlled(latents, 300, torch.cat([-text, words], dim=-1))).abs().max() > 1e-3


def test_gradients_reach_the_video_network_alone(backbone, control, clip):
    network = inflate(backbone.unet, sparse_causal)
    weight = network.unet.down_blocks[0].attentions[0].transformer_blocks[0].attn1.to_q.weight
    weight.requires_grad_()
    controlled = StructuralControl(control, half_grey).network(network, clip)
    prediction = controlled(torch.randn(1, 4, 3, 2, 3), torch.tensor([5]), torch.randn(1, 5, 16))
    prediction.square().mean().backward()
    assert weight.grad.abs().max() > 0
    tuned = {id(p) for p in network.parameters() if p.requires_grad}
    assert {id(p) for p in controlled.parameters() if p.requires_grad} == tuned
    assert all(p.grad is None for p in control.network.parameters())
    assert all(part.grad_fn is None for part in controlled.encoded)


def test_inversions_with_and_without_control_are_kept_apart(backbone, control, clip, tmp_path):
    workspace, network = Workspace(backbone, tmp_path), inflate(backbone.unet, per_frame, temporal=False)
    latents, _ = workspace.posterior(clip)
    ends = {}
    for name, used in (
        ("plain", network),
        ("controlled", StructuralControl(control, half_grey).network(network, clip)),
        ("weaker", StructuralControl(control, half_grey, 0.5).network(network, clip)),
        ("edges", StructuralControl(control, Edges()).network(network, clip)),
    ):
        with torch.no_grad():
            ends[name] = workspace.inverted(used, latents, 4)
            torch.testing.assert_close(workspace.inverted(used, latents, 4), ends[name])
    assert len(list((tmp_path / "inversions").iterdir())) == 4
    assert len({round(end.sum().item(), 4) for end in ends.values()}) == 4


def test_settings(control):
    assert no_control() is None
    with pytest.raises(InputError, match=r"control\.scale is -1"):
        StructuralControl(control, half_grey, scale=-1.0)
    assert issubclass(Controlled, torch.nn.Module)


@pytest.mark.slow
def test_the_embedded_controlnet_puts_the_subject_where_the_source_has_it(rng):
    world = make_clip("fox", "beach", motion="jump", num_frames=4)
    backbone = load_backbone("emojiworld", device="cpu")
    workspace, network = Workspace(backbone), inflate(backbone.unet, per_frame, temporal=False)
    structural = StructuralControl(load_control("emojiworld", device="cpu"), Depth(load_depth("emojiworld")))
    structural.require_fit(backbone)
    noise = noise_like(workspace.posterior(world.clip)[0], rng)
    verdicts, distances = {}, {}
    for name, used in (("with", structural.network(network, world.clip)), ("without", network)):
        with torch.no_grad():
            denoise = workspace.denoiser(used, ["a bear is jumping on the moon"], 3.0)
            frames = workspace.decode(sample(denoise, noise, backbone.schedule, 10))[0]
        verdicts[name] = load_oracle().judge(frames)
        distances[name] = (verdicts[name].centres * 64 - world.centres).norm(dim=1).mean().item()
    assert distances["with"] < 5 < distances["without"]
    assert verdicts["with"].subject.count("bear") >= 3 and verdicts["with"].background == ["moon"] * 4


def test_bfloat16_networks_take_float32_latents(folders, control_folders, clip):
    backbone = load_backbone(folders["sd1"], device="cpu", dtype="bfloat16")
    workspace = Workspace(backbone)
    network = inflate(backbone.unet, per_frame, temporal=False)
    latents, _ = workspace.posterior(clip)
    for folder in control_folders.values():
        control = StructuralControl(load_control(folder, device="cpu", dtype="bfloat16"), half_grey)
        with torch.no_grad():
            found = workspace.denoiser(control.network(network, clip), ["a cat"], 2.0)(latents, 500)
            plain = workspace.denoiser(network, ["a cat"], 2.0)(latents, 500)
        assert found.dtype == torch.float32 and not torch.allclose(found, plain)
