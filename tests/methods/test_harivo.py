import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file
from torch.nn import functional

from giftune.attention.patterns import per_frame
from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.errors import InputError
from giftune.methods.base import Editor, Example, Learner
from giftune.methods.harivo import Harivo
from giftune.sampling.mitigating_gradient import MitigatingGradient
from giftune.unet.inflate import inflate
from giftune.unet.weights import read_metadata

OFF = {
    "mapping": "none",
    "tokens": "none",
    "temporal_conv": False,
    "image_prior_weight": 0.0,
    "attention_weight": 0.0,
    "contrastive_weight": 0.0,
}


@pytest.fixture
def make(folders):
    def build(kind="sd1", backbone=None, **settings) -> Harivo:
        settings = {"num_steps": 2, "guidance": 3.0, **settings}
        return Harivo(backbone or load_backbone(folders[kind], device="cpu"), **settings)

    return build


@pytest.fixture
def examples(clip) -> list[Example]:
    other = clip.with_frames(clip.frames.flip(0, 3))
    return [Example(clip, "a cat runs", "one"), Example(other, "a panda is surfing", "two")]


@pytest.fixture
def batch(make, examples):
    return make(**OFF, caption_dropout=0.0).collate(examples, generator())


def generator(seed=1):
    return torch.Generator().manual_seed(seed)


def awaken(method):
    """As if it had been trained a little."""
    with torch.no_grad():
        for number, name in enumerate(method.trainable()):
            parameter = method.network.get_parameter(name)
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=generator(number)))
    return method


def total(method, batch, seed=1):
    return sum(weight * value for value, weight in method.losses(batch, generator(seed)).values())


def predict(method, kind="sd1"):
    latents, text = torch.randn(2, 4, 3, 2, 3, generator=generator()), method.workspace.text(["a cat", ""])
    with torch.no_grad():
        return method.network(latents, torch.tensor([7, 700]), text), (latents, text)


def without_words(text):
    return text[..., : text.shape[-1] // 2]


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_everything_off_is_the_baseline_to_the_last_bit_and_everything_on_starts_as_it(make, folders, kind):
    off, (latents, text) = predict(make(kind, **OFF, frame_code=False))
    plain = inflate(load_backbone(folders[kind], device="cpu").unet, per_frame, temporal=False)
    with torch.no_grad():
        assert off.equal(plain(latents, torch.tensor([7, 700]), without_words(text)))
    for tokens in ("concat", "decoupled"):
        torch.testing.assert_close(predict(make(kind, tokens=tokens))[0], off, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", ["sd1", "sd2"])
def test_a_step_by_hand(make, batch, kind):
    """Against the diffusers scheduler's own arithmetic; the noise is what the network saw beyond x_0."""
    method = awaken(make(kind, **{**OFF, "deviation_weight": 2.5, "image_prior_weight": 0.3}))
    seen = []
    handle = method.network.register_forward_pre_hook(lambda _, given: seen.append(given))
    losses = method.losses(batch, generator())
    handle.remove()
    ((noisy, t, text),) = seen
    x0 = method._encoded(batch.frames, generator())  # draws first, so it is what the step drew
    scheduler = DDIMScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    alpha_bar = scheduler.alphas_cumprod[t][:, None, None, None, None]
    noise = (noisy - alpha_bar**0.5 * x0) / (1 - alpha_bar) ** 0.5
    assert noise.std() == pytest.approx(1, abs=0.2) and not noise[:, :, 0].equal(noise[:, :, 1])
    truth = noise if kind == "sd1" else scheduler.get_velocity(x0, noise, t)
    prediction = method.network(noisy, t, text)
    value, weight = losses["reconstruction"]
    torch.testing.assert_close(value, functional.mse_loss(prediction, truth), rtol=1e-4, atol=1e-5)
    image = load_backbone(method.backbone.source, device="cpu").unet
    encoded = without_words(text)
    alone = torch.stack([image(frame, t, encoded).sample for frame in noisy.unbind(2)], dim=2)
    value, weight = losses["image_prior"]
    torch.testing.assert_close(value, functional.mse_loss(prediction, alone), rtol=1e-4, atol=1e-6)
    assert weight == 0.3 and losses.keys() == {"reconstruction", "deviation", "image_prior"}
    value, weight = losses["deviation"]
    error = prediction - truth
    torch.testing.assert_close(value, error.var(dim=2, correction=0).mean(), rtol=1e-4, atol=1e-5)
    assert weight == 2.5


def test_a_fresh_network_costs_nothing_beside_the_reconstruction(make, batch):
    losses = make().losses(batch, generator())
    assert losses["image_prior"][0] < 1e-10
    assert list(losses) == ["reconstruction", "image_prior", "attention", "contrastive"]
    assert [weight for _, weight in losses.values()] == [1.0, 0.1, 0.1, 0.01]


@pytest.mark.parametrize("mapping_at", ["every_step", "initial_noise_only"])
def test_only_what_is_new_learns_and_all_of_it(make, batch, mapping_at, monkeypatch):
    monkeypatch.setattr("giftune.unet.mapping.NOISY", 0.0)  # or the mapping learns in few steps only
    method = awaken(make(mapping_at=mapping_at, gradient_checkpointing=True))
    total(method, batch).backward()
    with_gradient = {
        name for name, p in method.network.named_parameters() if p.grad is not None and p.grad.abs().sum() > 0
    }
    new = ("temporal.", "motion.", "words.", "mapping.", "tokens.", "processor.gate", "contrastive.")
    everything = {name for name, _ in method.network.named_parameters()}
    assert with_gradient == set(method.trainable()) == {n for n in everything if any(p in n for p in new)}
    frozen = [method.backbone.vae, method.backbone.text_encoder, method._image_model.unet]
    assert all(p.grad is None for m in frozen[:2] for p in m.parameters())


@pytest.mark.parametrize("name", ["attention", "contrastive", "image_prior"])
def test_each_loss_reaches_the_temporal_layers(make, batch, name):
    method = awaken(make())
    method.losses(batch, generator())[name][0].backward()
    gradients = [p.grad for n, p in method.network.named_parameters() if "temporal.to_out" in n]
    assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


def test_maps_of_still_clips_with_one_noise_are_alike(make, examples):
    """With the same picture and noise in all frames, and layers that have no code, frames are the same."""
    still = [
        Example(e.clip.with_frames(e.clip.frames[:1].expand_as(e.clip.frames)), e.caption) for e in examples
    ]
    method = make(mapping="pyoco_mixed", a=1e6, tokens="none")
    method._encoded = lambda frames, rng: torch.zeros(len(frames), 4, 3, 2, 3)
    batch = method.collate(still, generator())
    assert method.losses(batch, generator())["attention"][0] < 1e-9
    usual = make()
    assert usual.losses(batch, generator())["attention"][0] > 1e-6


def test_training_steps_are_repeatable_and_lower_the_loss(make, batch):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    methods = [make() for _ in range(2)]
    assert torch.get_rng_state().equal(state)
    values = []
    for method, steps in zip(methods, (8, 2), strict=True):
        optimizer = torch.optim.AdamW([method.network.get_parameter(n) for n in method.trainable()], lr=3e-3)
        values.append([])
        for _ in range(steps):
            found = method.losses(batch, generator(3))
            sum(value * weight for value, weight in found.values()).backward()
            optimizer.step()
            optimizer.zero_grad()
            values[-1].append(float(found["reconstruction"][0].detach()))
    assert values[0][:2] == values[1] and values[0][-1] < values[0][0]


def test_captions_are_left_out_now_and_then(make, examples):
    captions = make(caption_dropout=0.5).collate(examples * 50, generator()).captions
    assert 30 < captions.count("") < 70
    assert "" not in make(caption_dropout=0.0).collate(examples * 50, generator()).captions


def test_edits_take_size_length_and_timing_alone(make, clip):
    method = awaken(make(batch_size=2))
    prompts = ["a panda", "a red ball"]
    black = clip.with_frames(torch.full_like(clip.frames, -1))
    drawn = list(method.edit(clip, prompts, generator()))
    assert isinstance(method, Learner) and isinstance(method, Editor)
    for first, second in zip(drawn, method.edit(black, prompts, generator()), strict=True):
        assert isinstance(first, Clip) and first.frames.shape == clip.frames.shape
        assert first.durations_ms == clip.durations_ms and first.loop == 2
        assert first.frames.equal(second.frames)
    assert (drawn[0].frames - drawn[1].frames).abs().max() > 1e-3
    one = list(awaken(make(batch_size=1)).edit(clip, prompts, generator()))
    for first, second in zip(one, drawn, strict=True):
        torch.testing.assert_close(first.frames, second.frames, atol=1e-4, rtol=1e-4)


def test_the_mitigating_gradient_makes_it_smoother(make, clip):
    def drawn(mitigation):
        method, latents = make(mitigation=mitigation), []
        decode = method.workspace.decode
        method.workspace.decode = lambda found: latents.append(found) or decode(found)
        (edited,) = method.edit(clip, ["a cat"], generator())
        return latents[0].diff(dim=2).square().mean(), edited.frames

    (plain, frames), (same, again), (smooth, _) = map(
        drawn, (None, MitigatingGradient(0.0), MitigatingGradient(40.0))
    )
    assert smooth < 0.9 * plain and same == plain and frames.equal(again)


def test_weights_return_without_the_projection_head(make, clip, tmp_path):
    path, method = tmp_path / "weights.safetensors", awaken(make())
    method.save(path, steps=7)
    assert not any("contrastive" in name for name in load_file(path))
    assert set(load_file(path)) == {n for n in method.trainable() if "contrastive" not in n}
    metadata = read_metadata(path)
    assert metadata["steps"] == 7 and "base_fingerprint" not in metadata
    again = make(weights=path, contrastive_weight=0.0, image_prior_weight=0.0)
    assert predict(again)[0].equal(predict(method)[0])
    (one,), (two,) = (m.edit(clip, ["a cat"], generator()) for m in (method, again))
    assert one.frames.equal(two.frames)


def test_weights_of_another_network_are_refused(make, tmp_path):
    path = tmp_path / "weights.safetensors"
    make().save(path)
    for settings, sentence in (
        ({"mapping": "none"}, "mapping 'every_step 64 x 2', but here mapping is 'none'"),
        ({"mapping_at": "initial_noise_only"}, "mapping 'every_step"),
        ({"tokens": "decoupled"}, "tokens 'concat 4"),
        ({"temporal_conv": False}, "temporal_conv True"),
        ({"frame_code": False}, "temporal 'frame code'"),
    ):
        with pytest.raises(InputError, match=sentence):
            make(weights=path, **settings)
    with pytest.raises(InputError, match=r"method.weights is emojiworld, but|path .* was tuned with"):
        make(weights="emojiworld")
