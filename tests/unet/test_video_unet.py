import jaxtyping
import pytest
import torch
from diffusers import ControlNetModel
from einops import rearrange

from giftune.attention.patterns import per_frame, window
from giftune.unet.inflate import inflate
from giftune.unet.trainable import select_trainable


def gradients(video, batch):
    video.zero_grad()
    video(*batch).square().mean().backward()
    return {name: p.grad.clone() for name, p in video.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("norm", ["per_frame", "pooled"])
def test_checkpointing_keeps_every_gradient(make_unet, batch, awaken, norm):
    video = inflate(make_unet(), norm=norm).train()
    awaken(video)
    names = select_trainable(video)
    plain = gradients(video, batch)
    assert set(plain) == set(names)
    assert all(gradient.abs().max() > 0 for gradient in plain.values())
    video.enable_gradient_checkpointing()
    for name, gradient in gradients(video, batch).items():
        torch.testing.assert_close(gradient, plain[name], rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("norm", ["per_frame", "pooled"])
def test_full_precision_is_tuned_inside_a_half_precision_network(make_unet, batch, awaken, norm):
    latents, t, text = batch
    expected, video = (inflate(make_unet(), norm=norm) for _ in range(2))
    awaken(expected)
    video.load_state_dict(expected.state_dict())
    video.to(torch.bfloat16)
    select_trainable(video)
    for parameter in video.parameters():
        if parameter.requires_grad:
            parameter.data = parameter.data.float()
    with torch.autocast("cpu", torch.bfloat16):
        output = video(latents.bfloat16(), t, text.bfloat16())
    output.float().square().mean().backward()
    assert (output - expected(*batch)).abs().mean() < 0.03
    assert {p.grad.dtype for p in video.parameters() if p.requires_grad} == {torch.float32}


@torch.no_grad()
def test_clips_of_a_batch_do_not_mix(make_unet, batch, awaken):
    video = inflate(make_unet(), norm="pooled")
    awaken(video)
    together = video(*batch)
    for i in range(2):
        alone = video(*(part[i : i + 1] for part in batch))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_a_timestep_may_be_a_number_or_a_scalar(make_unet, batch):
    latents, _, text = batch
    video = inflate(make_unet())
    expected = video(latents, torch.tensor([500, 500]), text)
    assert torch.equal(video(latents, 500, text), expected)
    assert torch.equal(video(latents, torch.tensor(500), text), expected)


@torch.no_grad()
def test_control_residuals_arrive_at_their_frames(make_unet, batch, rng):
    latents, t, text = batch
    control = ControlNetModel.from_unet(make_unet(), conditioning_channels=3)
    for parameter in control.parameters():
        parameter.normal_(std=0.1, generator=rng)
    folded, texts = rearrange(latents, "b c f h w -> (b f) c h w"), text.repeat_interleave(5, dim=0)
    times, hints = t.repeat_interleave(5), torch.rand(10, 3, 64, 64, generator=rng)
    down, mid = control(folded, times, texts, hints, return_dict=False)
    expected = make_unet()(
        folded, times, texts, down_block_additional_residuals=down, mid_block_additional_residual=mid
    ).sample
    output = inflate(make_unet(), per_frame)(latents, t, text, down, mid)
    torch.testing.assert_close(rearrange(output, "b c f h w -> (b f) c h w"), expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_adapter_residuals_come_without_a_middle_one(make_unet, batch, rng):
    latents, t, text = batch
    down = [torch.randn(10, 8, 8, 8, generator=rng), torch.randn(10, 16, 4, 4, generator=rng)]
    folded, texts = rearrange(latents, "b c f h w -> (b f) c h w"), text.repeat_interleave(5, dim=0)
    expected = make_unet()(
        folded, t.repeat_interleave(5), texts, down_intrablock_additional_residuals=[x.clone() for x in down]
    ).sample
    output = inflate(make_unet(), per_frame)(latents, t, text, down)
    torch.testing.assert_close(rearrange(output, "b c f h w -> (b f) c h w"), expected, rtol=1e-4, atol=1e-5)
    assert len(down) == 2


@pytest.mark.slow
@torch.no_grad()
def test_compiles_into_one_graph(make_unet, batch, awaken, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # the checks of types break graphs
    one_level = {"block_out_channels": (8,), "attention_head_dim": 2, "transformer_layers_per_block": 1}
    types = {"down_block_types": ("CrossAttnDownBlock2D",), "up_block_types": ("CrossAttnUpBlock2D",)}
    video = inflate(make_unet(**one_level, **types), norm="pooled")
    awaken(video)
    expected = video(*batch)
    compiled = torch.compile(video, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*batch), expected)


def test_architecture_is_read_from_the_network(make_unet):
    assert inflate(make_unet(), window(3), temporal=False, norm="pooled").architecture == {
        "pattern": "window(3)",
        "temporal": False,
        "norm": "pooled",
    }
    assert inflate(make_unet()).architecture == {
        "pattern": "sparse_causal",
        "temporal": True,
        "norm": "per_frame",
    }
