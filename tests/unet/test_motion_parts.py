import pytest
import torch

from giftune.attention.patterns import per_frame, sparse_causal
from giftune.errors import InputError
from giftune.unet.inflate import inflate
from giftune.unet.motion_parts import MotionParts, inflate_with
from giftune.unet.trainable import ending, select_trainable
from giftune.unet.video_unet import VideoUNet

ALL = MotionParts(True, True, "every_step", "concat", transformer=True)
WIDTH = {"cross_attention_dim": 16}


def test_without_parts_it_is_the_inflation_to_the_last_bit(make_unet, batch):
    first, second = make_unet(), make_unet()
    torch.manual_seed(5)
    plain = inflate(first)
    state = torch.get_rng_state()
    found = inflate_with(second, MotionParts(), sparse_causal, seed=5)
    assert torch.get_rng_state().equal(state), "the global generator is left alone"
    expected = plain.state_dict()
    assert found.state_dict().keys() == expected.keys() and found.architecture == plain.architecture
    assert all(value.equal(expected[key]) for key, value in found.state_dict().items())
    assert found(*batch).equal(plain(*batch))


def test_attention_over_frames_starts_alike_whatever_is_added(make_unet):
    networks = [inflate_with(make_unet(**WIDTH), parts, per_frame, 3) for parts in (MotionParts(), ALL)]
    plain, full = (dict(network.named_parameters()) for network in networks)
    assert all(full[name].equal(parameter) for name, parameter in plain.items())
    again = dict(inflate_with(make_unet(**WIDTH), ALL, per_frame, 3).named_parameters())
    other = dict(inflate_with(make_unet(**WIDTH), ALL, per_frame, 4).named_parameters())
    for name in ("mapping.conv_in.weight", "tokens.queries"):
        assert again[name].equal(full[name]) and not other[name].equal(full[name])


@pytest.mark.parametrize(
    "parts",
    [
        MotionParts(),
        MotionParts(temporal_conv=True),
        MotionParts(mapping="initial_noise_only"),
        MotionParts(tokens="decoupled"),
        MotionParts(transformer=True),
        ALL,
    ],
)
def test_its_suffixes_are_all_that_is_new(make_unet, parts):
    video = inflate_with(make_unet(**WIDTH), parts, per_frame, 0, temporal=False)
    old = {f"unet.{name}" for name, _ in make_unet(**WIDTH).named_parameters()}
    modules = [module for suffix in parts.suffixes for module in ending(video, suffix)]
    inside = {id(parameter) for module in modules for parameter in module.parameters()}
    new = {name for name, parameter in video.named_parameters() if id(parameter) in inside}
    assert new == {name for name, _ in video.named_parameters()} - old
    if new:
        assert set(select_trainable(video, parts.suffixes)) <= new


def test_what_learns_beside_a_half_precision_network_is_not_halved(make_unet):
    video = inflate_with(make_unet(**WIDTH).to(torch.bfloat16), ALL, per_frame, 0)
    beside = [p for part in (video.mapping, video.tokens, video.words) for p in part.parameters()]
    assert {p.dtype for p in beside} == {torch.float32} and video.unet.dtype == torch.bfloat16
    assert {p.dtype for p in video.unet.parameters()} == {torch.bfloat16}


def test_stored_keys_are_those_of_diffusers_and_three_more_names(make_unet):
    video = inflate_with(make_unet(**WIDTH), ALL, per_frame, 0)
    assert isinstance(video, VideoUNet)
    keys = {name for name, _ in video.stored.named_parameters()}
    own = {key for key in keys if key.startswith(("mapping.", "tokens.", "words."))}
    assert keys - own == {name for name, _ in video.unet.named_parameters()} and own
    assert sum(p.numel() for p in video.stored.parameters()) == sum(p.numel() for p in video.parameters())
    plain = inflate(make_unet(**WIDTH))
    assert dict(plain.stored.named_parameters()).keys() == dict(plain.unet.named_parameters()).keys()


@pytest.mark.parametrize("settings", [{"mapping": "conv3d"}, {"tokens": "gated"}])
def test_other_names_are_refused(settings):
    ((name, value),) = settings.items()
    with pytest.raises(InputError, match=f"parts.{name} is '{value}', it must be one of none, "):
        MotionParts(**settings)
