import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file

from giftune.attention.patterns import per_frame
from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.errors import InputError


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_a_step_by_hand(make_method, clip, kind):
    """Against the diffusers scheduler's own arithmetic, at one timestep per clip."""
    from diffusers import DDIMScheduler

    method = make_method(kind)
    batch = method.prepare(clip, "a cat runs")
    step = method.step(batch, generator())
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    alpha_bar = scheduler.alphas_cumprod[step.t]
    torch.testing.assert_close(step.alpha_bar, alpha_bar)
    noise = (step.noisy - alpha_bar**0.5 * step.x0) / (1 - alpha_bar) ** 0.5
    expected = noise if kind == "sd1" else scheduler.get_velocity(step.x0, noise, step.t)
    torch.testing.assert_close(step.target, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(step.prediction, method.network(step.noisy, step.t, batch.text))
    assert step.t.shape == (1,) and not noise[:, :, 0].equal(noise[:, :, 1])


def test_randomness_comes_from_the_generator_alone(make_method, clip):
    method = make_method()
    batch = method.prepare(clip, "a cat")
    first, again, other = (method.step(batch, generator(seed)) for seed in (1, 1, 2))
    assert first.noisy.equal(again.noisy) and not first.noisy.equal(other.noisy)
    assert not first.x0.equal(batch.mean)
    mean = make_method(posterior="mean")
    assert mean.step(batch, generator()).x0.equal(batch.mean)


def test_the_seed_decides_the_new_layers_and_leaves_the_global_generator_alone(make_method):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    one, same, other = make_method(seed=1), make_method(seed=1), make_method(seed=2)
    assert torch.get_rng_state().equal(state)
    name = next(name for name in one.trainable() if "temporal.to_q" in name)
    values = [dict(method.network.named_parameters())[name] for method in (one, same, other)]
    assert values[0].equal(values[1]) and not values[0].equal(values[2])


def test_only_the_chosen_parameters_learn_and_all_of_them(make_method, clip):
    method = make_method(gradient_checkpointing=True)
    with torch.no_grad():  # a zero output projection would let no gradient through to the others
        for name, parameter in method.network.named_parameters():
            if "temporal.to_out" in name:
                parameter.fill_(0.01)
    step = method.step(method.prepare(clip, "a cat"), generator())
    (step.prediction - step.target).square().mean().backward()
    with_gradient = {
        name for name, p in method.network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
    }
    assert with_gradient == set(method.trainable())


def test_without_guidance_and_text_the_source_returns(make_method, clip):
    """Inversion and sampling with one prompt undo each other, with an error that falls with the step."""
    errors = []
    for steps in (10, 100):
        method = make_method(num_steps=steps, inversion_steps=steps, guidance=1.0)
        with torch.no_grad():
            for parameter in method.backbone.unet.conv_out.parameters():
                parameter.mul_(0.1)  # a random network is less smooth in time than a trained one
        (back,) = method.edit(clip, [""], generator())
        decoded = method.workspace.decode(method.prepare(clip, "").mean)[0]
        errors.append(((back.frames - decoded).square().mean() / decoded.square().mean()).sqrt())
    assert errors[1] < 0.4 * errors[0] and errors[1] < 0.05


def test_edits_keep_the_timing_and_do_not_depend_on_the_batch(make_method, clip):
    prompts = ["a panda", "a red ball", "the beach"]
    one = list(make_method(batch_size=1).edit(clip, prompts, generator()))
    two = list(make_method(batch_size=2).edit(clip, prompts, generator()))
    for first, second in zip(one, two, strict=True):
        assert isinstance(first, Clip) and first.durations_ms == clip.durations_ms and first.loop == 2
        torch.testing.assert_close(first.frames, second.frames, atol=1e-4, rtol=1e-4)
    assert (one[0].frames - one[1].frames).abs().max() > 1e-3


def test_plain_noise_is_the_same_for_every_prompt(make_method, clip):
    method = make_method(inversion_steps=None, guidance=1.0)
    first, second = method.edit(clip, ["a cat", "a cat"], generator())
    assert first.frames.equal(second.frames)
    (other,) = method.edit(clip, ["a cat"], generator(9))
    assert not first.frames.equal(other.frames)


def test_progress_counts_every_step(make_method, clip):
    seen = []
    method = make_method(batch_size=2)
    list(method.edit(clip, ["a", "b", "c"], generator(), lambda *report: seen.append(report)))
    assert seen == [*(("inverting", i, 4) for i in range(1, 5)), *(("sampling", i, 8) for i in range(1, 9))]


def test_the_cache_is_used_until_the_weights_change(make_method, clip, tmp_path):
    method = make_method(cache=tmp_path)
    stages = []

    def edit():
        stages.clear()
        (edited,) = method.edit(clip, ["a cat"], generator(), lambda stage, *_: stages.append(stage))
        return edited.frames

    first = edit()
    assert "inverting" in stages
    assert edit().equal(first) and "inverting" not in stages
    with torch.no_grad():
        dict(method.network.named_parameters())[method.trainable()[0]].add_(0.1)
    assert not edit().equal(first) and "inverting" in stages
    list(method.quick().edit(clip, ["a cat"], generator()))
    assert {folder.name: len(list(folder.iterdir())) for folder in tmp_path.iterdir()} == {
        "latents": 1,
        "inversions": 2,
    }


def test_latents_are_encoded_once_for_all_runs_of_a_clip(make_method, clip, tmp_path, monkeypatch):
    first = make_method(cache=tmp_path).prepare(clip, "a cat")
    assert all(a.equal(b) for a, b in zip(first, make_method().prepare(clip, "a cat"), strict=True))
    monkeypatch.setattr("giftune.methods.workspace.encode", None)
    again = make_method(cache=str(tmp_path), norm="pooled", seed=9).prepare(clip, "a cat")
    assert again.mean.equal(first.mean) and again.std.equal(first.std)
    with pytest.raises(TypeError, match="NoneType"):
        make_method(cache=tmp_path).prepare(clip.with_frames(clip.frames * 0.5), "a cat")


def test_without_temporal_attention_the_rest_still_learns(make_method):
    names = make_method(temporal=False).trainable()
    assert names and not any("temporal" in name for name in names)


def test_weights_return_and_belong_to_their_network(make_method, clip, tmp_path):
    method = make_method()
    with torch.no_grad():
        for name, parameter in method.network.named_parameters():
            if name in method.trainable():
                parameter.add_(0.05)
    method.save(tmp_path / "weights.safetensors", caption="a cat")
    keys = set(load_file(tmp_path / "weights.safetensors"))
    assert {f"unet.{key}" for key in keys} == set(method.trainable())
    plain = UNet2DConditionModel.from_config(method.network.unet.config).state_dict()
    assert {key for key in keys if ".temporal." not in key} <= set(plain), "the keys are diffusers' own"
    fresh = make_method(seed=3)
    fresh.load(tmp_path / "weights.safetensors")
    edits = [next(m.edit(clip, ["a cat"], generator())).frames for m in (method, fresh)]
    assert edits[0].equal(edits[1])
    for other in (make_method(pattern=per_frame), make_method(norm="pooled"), make_method("sd2")):
        with pytest.raises(InputError, match="was tuned with"):
            other.load(tmp_path / "weights.safetensors")


def test_half_precision_trains_in_full(folders, make_method, clip):
    method = make_method(backbone=load_backbone(folders["sd1"], device="cpu", dtype="bfloat16"))
    parameters = dict(method.network.named_parameters())
    assert {parameters[name].dtype for name in method.trainable()} == {torch.float32}
    step = method.step(method.prepare(clip, "a cat"), generator())
    exact = make_method().step(make_method().prepare(clip, "a cat"), generator())
    assert step.prediction.dtype == torch.float32
    torch.testing.assert_close(step.prediction, exact.prediction, atol=0.1, rtol=0.1)


def test_refuses(make_method, clip, folders):
    for settings, sentence in (
        ({"posterior": "mode"}, "posterior is 'mode'"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"num_steps": 0}, "num_steps is 0"),
        ({"inversion_steps": 2000}, "2000"),
        ({"trainable": ["attn9"]}, "attn9"),
    ):
        with pytest.raises(InputError, match=sentence):
            make_method(**settings)
    odd = Clip(torch.zeros(2, 3, 20, 24), (10, 10))
    with pytest.raises(InputError, match="multiples of 8"):
        make_method().prepare(odd, "a cat")
    with pytest.raises(InputError, match="float16"):
        make_method(backbone=load_backbone(folders["sd1"], device="cpu", dtype="float16")).prepare(
            clip, "a cat"
        )


def test_replaced_processors_are_noticed(make_method, clip):
    method = make_method()
    method.backbone.unet.set_attention_slice(1)
    with pytest.raises(RuntimeError, match="attends within single frames"):
        method.prepare(clip, "a cat")
    with pytest.raises(RuntimeError, match="attends within single frames"):
        next(method.edit(clip, ["a cat"], generator()))
