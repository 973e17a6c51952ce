"""GIF-Tune with HARIVO's parts: they start as nothing, learn from one clip, and return from a file."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from giftune.backbone.stable_diffusion import load_backbone
from giftune.diffusion.windows import Windows
from giftune.errors import InputError
from giftune.unet.lora import Lora, lora_layers
from giftune.unet.motion_parts import MotionParts

ALL = MotionParts(True, True, "every_step", "concat", transformer=True)
NOISE_ONLY = MotionParts(mapping="initial_noise_only")


@pytest.fixture
def make(make_method):
    return lambda *kind, **settings: make_method(*kind, **{"num_steps": 2, "inversion_steps": 2, **settings})


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def awaken(method):
    """As if it had been tuned."""
    with torch.no_grad():
        for number, name in enumerate(method.trainable()):
            parameter = method.network.get_parameter(name)
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator(number)))
    return method


def edited(method, clip):
    return next(iter(method.edit(clip, ["a panda"], generator()))).frames


def with_gradient(method, clip):
    step = method.step(method.prepare(clip, "a cat"), generator())
    (step.prediction - step.target).square().mean().backward()
    parameters = method.network.named_parameters()
    return {name for name, p in parameters if p.grad is not None and p.grad.abs().sum() > 0}


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_none_is_the_method_to_the_last_bit(make, clip, kind):
    plain, off = awaken(make(kind)), awaken(make(kind, parts=MotionParts()))
    assert plain.trainable() == off.trainable() and plain._identity() == off._identity()
    assert edited(plain, clip).equal(edited(off, clip))


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
@pytest.mark.parametrize("tokens", ["concat", "decoupled"])
def test_all_of_them_start_as_the_method_without(make, clip, kind, tokens):
    plain, full = make(kind), make(kind, parts=MotionParts(True, True, "every_step", tokens))
    one, two = (method.step(method.prepare(clip, "a cat"), generator()) for method in (plain, full))
    torch.testing.assert_close(two.prediction, one.prediction, rtol=0, atol=1e-5)
    assert two.noisy.equal(one.noisy) and two.target.equal(one.target)


@pytest.mark.parametrize("temporal", [True, False])
def test_every_part_learns_beside_what_learnt_before(make, clip, temporal):
    method = awaken(make(parts=ALL, temporal=temporal, gradient_checkpointing=True))
    assert with_gradient(method, clip) == set(method.trainable())
    added = set(method.trainable()) - set(make(temporal=temporal).trainable())
    for part in (
        "conv1.temporal",
        "conv2.temporal",
        ".motion.",
        "attn2.processor.gate",
        "mapping.",
        "tokens.",
    ):
        assert any(part in name for name in added)
    assert not any("norm" in name for name in added), "norms keep their weights, as everywhere"
    frozen = make(parts=ALL, frozen=["mapping", "tokens"]).trainable()
    assert not any(name.startswith(("mapping", "tokens")) for name in frozen)


def test_they_learn_as_a_whole_beside_thin_matrices(make, clip):
    method = awaken(make(parts=ALL, lora=Lora(2)))
    assert with_gradient(method, clip) == set(method.trainable())
    layers = {id(layer) for layer in lora_layers(method.network)}
    beside = [*method.network.mapping.modules(), *method.network.tokens.modules()]
    assert layers and not layers & {id(module) for module in beside}
    assert "tokens.layers.layers.0.linear1.weight" in method.trainable()


def test_mapped_noise_learns_where_sampling_starts(make, clip, monkeypatch):
    method = make(parts=NOISE_ONLY, inversion_steps=None)
    torch.nn.init.normal_(method.network.mapping.conv_out.weight, generator=generator())
    batch = method.prepare(clip, "a cat")
    plain = make(inversion_steps=None)
    for level, changes in ((0.0, True), (1.0, False)):
        monkeypatch.setattr("giftune.unet.mapping.NOISY", level)
        step, without = (m.step(batch, generator()) for m in (method, plain))
        assert step.noisy.equal(without.noisy) and step.target.equal(without.target)
        assert torch.equal(step.prediction, without.prediction) != changes
    seen = []
    method.network.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0][:1]))
    edited(method, clip)
    noise = torch.randn(batch.mean.shape, generator=generator())
    torch.testing.assert_close(seen[0], method.network.mapping(noise))
    with pytest.raises(InputError, match="which needs inversion=none"):
        make(parts=NOISE_ONLY)


@pytest.mark.slow
def test_without_guidance_and_text_the_source_returns(make, clip):
    """Inversion and sampling see the same mapped, tokenised network, so they undo each other."""
    errors = []
    for steps in (5, 40):
        method = make(parts=ALL, num_steps=steps, inversion_steps=steps, guidance=1.0)
        with torch.no_grad():
            for name in method.trainable():
                if "conv_out" in name or "gate" in name or "to_out" in name:
                    method.network.get_parameter(name).normal_(std=0.1, generator=generator())
            for parameter in method.backbone.unet.conv_out.parameters():
                parameter.mul_(0.1)  # a random network is less smooth in time than a trained one
        (back,) = method.edit(clip, [""], generator())
        decoded = method.workspace.decode(method.prepare(clip, "").mean)[0]
        errors.append(((back.frames - decoded).square().mean() / decoded.square().mean()).sqrt())
    assert errors[1] < 0.4 * errors[0] and errors[1] < 0.1


def test_weights_return(make, clip, tmp_path):
    path, method = tmp_path / "weights.safetensors", awaken(make(parts=ALL))
    method.save(path)
    keys = set(load_file(path))
    beside = ("mapping.", "tokens.", "words.")
    assert {key if key.startswith(beside) else f"unet.{key}" for key in keys} == set(method.trainable())
    plain = UNet2DConditionModel.from_config(method.network.unet.config).state_dict()
    new = ("temporal", "motion", "mapping", "tokens", "words", "gate")
    assert {key for key in keys if not any(part in key for part in new)} <= set(plain)
    fresh = make(parts=ALL, seed=9)
    before = edited(fresh, clip)
    fresh.load(path)
    assert edited(fresh, clip).equal(edited(method, clip)) and not edited(fresh, clip).equal(before)


def test_weights_of_other_parts_are_refused_and_nothing_is_copied(make, tmp_path):
    paths = {}
    for name, parts in (("all", ALL), ("none", MotionParts())):
        paths[name] = tmp_path / f"{name}.safetensors"
        make(parts=parts).save(paths[name])
    other = MotionParts(True, True, "every_step", "decoupled")
    for settings, file, sentence in (
        ({"parts": other}, "all", "tokens 'concat 4"),
        ({"parts": ALL}, "none", "temporal"),
        ({"parts": MotionParts(mapping="every_step")}, "none", "mapping None, but here mapping is 'every"),
        ({}, "all", "temporal 'frame code', but here temporal is True"),
    ):
        with pytest.raises(InputError, match=sentence):
            make(**settings).load(paths[file])
    make(parts=MotionParts(mapping="every_step")).save(paths["all"])
    with pytest.raises(InputError, match=r"mapping.* is not trainable here"):
        make().load(paths["all"])


def test_windows_half_precision_and_batches_go_with_them(make, folders, clip):
    windowed = awaken(make(parts=ALL, window=Windows(2)))
    step = windowed.step(windowed.prepare(clip, "a cat"), generator())
    assert step.prediction.shape[2] < 3 and step.prediction.isfinite().all()
    backbone = load_backbone(folders["sd1"], device="cpu", dtype="bfloat16")
    half, full = awaken(make(parts=ALL, backbone=backbone)), awaken(make(parts=ALL))
    assert {half.network.get_parameter(name).dtype for name in half.trainable()} == {torch.float32}
    assert with_gradient(half, clip) == set(half.trainable())
    steps = [m.step(m.prepare(clip, "a cat"), generator()) for m in (half, full)]
    assert (steps[0].prediction - steps[1].prediction).abs().mean() < 0.05
    prompts = ["a panda", "a red ball"]
    one, two = (list(awaken(make(parts=ALL, batch_size=b)).edit(clip, prompts, generator())) for b in (1, 2))
    for first, second in zip(one, two, strict=True):
        torch.testing.assert_close(first.frames, second.frames, atol=1e-4, rtol=1e-4)


def test_inversions_are_kept_by_parts(make, clip, tmp_path):
    for parts in (MotionParts(), MotionParts(tokens="concat"), MotionParts(mapping="every_step"), ALL):
        edited(make(parts=parts, cache=tmp_path), clip)
    assert len(list((tmp_path / "inversions").iterdir())) == 4
