"""What HARIVO and Make-A-Video add to the inflation."""

import pytest
import torch
from torch import nn

from giftune.attention.frame_tokens import FrameTokenAttnProcessor
from giftune.attention.patterns import per_frame
from giftune.attention.processor import CrossFrameAttnProcessor
from giftune.errors import InputError
from giftune.unet.frame_tokens import FrameTokens
from giftune.unet.inflate import inflate, verify
from giftune.unet.mapping import MappingNetwork
from giftune.unet.temporal_conv import PseudoConv3d


@pytest.fixture
def spoken(batch, rng):
    """The batch with words behind its text."""
    latents, t, text = batch
    return latents, t, torch.cat([text, torch.randn(text.shape, generator=rng)], dim=-1)


def everything(unet, apply_to="every_step", join="concat", pattern=per_frame):
    torch.manual_seed(1)
    mapping = MappingNetwork(width=8, apply_to=apply_to)
    tokens = FrameTokens(12, num_tokens=2, join=join, num_heads=2)
    return inflate(
        unet,
        pattern,
        frame_code=True,
        temporal_conv=True,
        mapping=mapping,
        tokens=tokens,
        transformer=True,
    )


def awaken(video, rng):
    with torch.no_grad():
        for name, parameter in video.named_parameters():
            if any(part in name for part in ("temporal", "motion", "gate", "mapping.conv_out", "words")):
                parameter.add_(0.1 * torch.randn(parameter.shape, generator=rng))


@torch.no_grad()
@pytest.mark.parametrize("join", ["concat", "decoupled"])
def test_everything_on_and_fresh_is_the_image_model_on_each_frame(make_unet, batch, spoken, join):
    latents, t, text = batch
    image = make_unet()
    expected = torch.stack([image(frame, t, text).sample for frame in latents.unbind(2)], dim=2)
    torch.testing.assert_close(everything(make_unet(), join=join)(*spoken), expected, rtol=1e-5, atol=1e-5)


@torch.no_grad()
def test_everything_off_is_as_before_to_the_last_bit(make_unet, batch):
    torch.manual_seed(2)
    plain = inflate(make_unet(), per_frame)
    torch.manual_seed(2)
    off = inflate(make_unet(), per_frame, frame_code=False, temporal_conv=False, mapping=None, tokens=None)
    state = plain.state_dict()
    assert state.keys() == off.state_dict().keys() and off.architecture == plain.architecture
    assert all(value.equal(state[key]) for key, value in off.state_dict().items())
    assert off(*batch).equal(plain(*batch))


@torch.no_grad()
@pytest.mark.parametrize(
    "part", ["temporal.to_out", "motion.to_out", "conv1.temporal", "conv2.temporal", "gate", "mapping"]
)
def test_every_part_has_a_say(make_unet, spoken, rng, part):
    video = everything(make_unet())
    before = video(*spoken)
    found = [p for name, p in video.named_parameters() if part in name]
    assert found
    for parameter in found:
        parameter.add_(0.2 * torch.randn(parameter.shape, generator=rng))
    assert (video(*spoken) - before).abs().max() > 1e-4


@torch.no_grad()
def test_a_mapping_of_the_initial_noise_leaves_the_network_alone(make_unet, spoken, rng):
    video = everything(make_unet(), apply_to="initial_noise_only")
    before = video(*spoken)
    nn.init.normal_(video.mapping.conv_out.weight)
    assert video(*spoken).equal(before)


def test_checkpointing_keeps_every_gradient(make_unet, spoken, rng):
    video = everything(make_unet()).train()
    awaken(video, rng)
    gradients = []
    for again in (False, True):
        if again:
            video.enable_gradient_checkpointing()
        video.zero_grad()
        video(*spoken).square().mean().backward()
        gradients.append({name: p.grad.clone() for name, p in video.named_parameters()})
    for name, gradient in gradients[1].items():
        torch.testing.assert_close(gradient, gradients[0][name], rtol=1e-4, atol=1e-7)


@torch.no_grad()
def test_clips_of_a_batch_do_not_mix(make_unet, spoken, rng):
    video = everything(make_unet())
    awaken(video, rng)
    together = video(*spoken)
    for i in range(2):
        alone = video(*(part[i : i + 1] for part in spoken))
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_words_of_one_prompt_move_its_clip_alone(make_unet, spoken, rng):
    video = everything(make_unet())
    awaken(video, rng)
    latents, t, text = spoken
    other = text.clone()
    other[0, :, 12:] += 1
    change = (video(latents, t, other) - video(latents, t, text)).abs().amax(dim=(1, 2, 3, 4))
    assert change[0] > 1e-4 and change[1] < 1e-5


@torch.no_grad()
def test_frames_know_their_positions_only_with_a_code(make_unet, batch, rng):
    """Without it, frames that come in another order leave in that order."""
    latents, t, text = batch
    for frame_code in (False, True):
        video = inflate(make_unet(), per_frame, frame_code=frame_code)
        with torch.random.fork_rng():
            torch.manual_seed(3)
            for name, parameter in video.named_parameters():
                if "temporal.to_out" in name:
                    parameter.normal_(std=0.3)
        turned = video(latents.flip(2), t, text).flip(2)
        assert torch.allclose(turned, video(latents, t, text), atol=1e-4) != frame_code


def test_only_what_is_new_is_new(make_unet):
    image = make_unet().state_dict()
    video = everything(make_unet())
    state = video.unet.state_dict()
    assert all(torch.equal(state[key], value) for key, value in image.items())
    assert all(
        ".temporal." in key or ".motion." in key or key.endswith("processor.gate")
        for key in state.keys() - image.keys()
    )
    convs = [m for m in video.modules() if isinstance(m, PseudoConv3d)]
    assert len(convs) == 2 * sum(type(m).__name__ == "ResnetBlock2D" for m in video.modules())
    processors = video.unet.attn_processors
    assert all(isinstance(p, FrameTokenAttnProcessor) == ("attn2" in name) for name, p in processors.items())
    verify(video)
    video.unet.set_attn_processor(CrossFrameAttnProcessor(per_frame))
    verify(video.unet)
    with pytest.raises(RuntimeError, match=r"attn2\.processor is a CrossFrameAttnProcessor"):
        verify(video)


def test_the_architecture_tells_what_is_on(make_unet):
    assert everything(make_unet(), apply_to="initial_noise_only").architecture == {
        "pattern": "per_frame",
        "temporal": "frame code",
        "norm": "per_frame",
        "temporal_conv": True,
        "transformer": "over clip and words, 1 deep",
        "mapping": "initial_noise_only 8 x 2",
        "tokens": "concat 2, 2 layers, 2 heads",
    }


def test_tokens_of_another_width_are_refused(make_unet):
    with pytest.raises(InputError, match="tokens are 16 wide, but the text of this U-Net is 12 wide"):
        inflate(make_unet(), tokens=FrameTokens(16))
