"""Pix2Gif on a random checkpoint: what it learns, what it draws, and the formulas in between."""

import pytest
import torch
from einops import rearrange

from giftune.backbone.latents import encode
from giftune.backbone.stable_diffusion import load_backbone
from giftune.clip import Clip
from giftune.diffusion.prediction import add_noise
from giftune.errors import InputError
from giftune.methods import _pair_batch
from giftune.methods.base import Editor, Example, Learner
from giftune.methods.pix2gif import VARIANTS, Pix2Gif
from giftune.metrics.features import MissingWeights

STEPS = {"num_steps": 2, "flow_width": 8, "motion_range": [2, 12]}


@pytest.fixture
def make(folders):
    def make(**settings) -> Pix2Gif:
        return Pix2Gif(load_backbone(folders["sd1"], device="cpu"), **{**STEPS, **settings})

    return make


def sliding(seed=0, num_frames=4):
    patch = torch.rand(3, 6, 6, generator=torch.Generator().manual_seed(seed))
    patch = torch.nn.functional.interpolate(patch[None], (24, 24), mode="bicubic")[0]
    frames = torch.zeros(num_frames, 3, 64, 64)
    for i, frame in enumerate(frames):
        frame[:, 20:44, 10 + 4 * i : 34 + 4 * i] = patch
    return Clip(frames, (100,) * num_frames, name=f"sliding {seed}")


@pytest.fixture
def examples():
    return [Example(sliding(seed), "a ball runs", str(seed)) for seed in range(3)]


def test_it_learns_and_edits(make):
    assert isinstance(make(), Learner) and isinstance(make(), Editor)


def test_a_batch_holds_pairs_of_the_clips_with_their_motion(make, examples, rng):
    batch = make(pairs_per_clip=2, dropout=0.0, flip=False).collate(examples, rng)
    assert batch.source.shape == batch.target.shape == (6, 3, 64, 64) and batch.usable.tolist() == [1] * 6
    for index, (source, target) in enumerate(zip(batch.source, batch.target, strict=True)):
        frames = examples[index // 2].clip.frames
        first, second = ([torch.equal(f, one) for f in frames].index(True) for one in (source, target))
        moved = 4 * abs(first - second)
        assert int(batch.motion[index]) in (moved - 1, moved)
        words = {4: "four", 3: "three", 8: "eight", 7: "seven", 11: "eleven"}[int(batch.motion[index])]
        assert batch.captions[index] == f"a ball runs The optical flow is {words}."


def test_conditions_are_left_out_and_pictures_mirrored(make, examples, rng):
    method = make(pairs_per_clip=4, dropout=0.3)
    batches = [method.collate(examples, rng) for _ in range(3)]
    said = [caption for batch in batches for caption in batch.captions]
    assert 0.3 < sum(caption == "" for caption in said) / len(said) < 0.9
    assert 0.3 < float(torch.cat([batch.without_image for batch in batches]).float().mean()) < 0.9
    sources = torch.cat([batch.source for batch in batches])
    known = torch.cat([example.clip.frames for example in examples])
    mirrored = [not any(torch.equal(frame, source) for frame in known) for source in sources]
    assert 0.25 < sum(mirrored) / len(mirrored) < 0.75


def test_clips_without_a_pair_count_for_nothing_and_at_last_end_it(make, examples, rng, monkeypatch):
    method, still = make(), Example(Clip(torch.zeros(3, 3, 64, 64), (100,) * 3), "a ball")
    batch = method.collate([examples[0], still], rng)
    assert batch.usable.tolist() == [1, 0] and batch.motion.tolist()[1] == 0
    nothing = method.losses(method.collate([still], rng), rng)
    assert all(float(value.detach()) == 0 for value, _ in nothing.values())
    monkeypatch.setattr(_pair_batch, "PATIENCE", 3)
    with pytest.raises(InputError, match="last 3 clips have no two frames with a motion of 2 to 11 pixels"):
        method.collate([still] * 3, rng)


def test_a_clip_without_caption_is_refused(make, examples, rng):
    with pytest.raises(InputError, match="clip 0 has no caption"):
        make().collate([examples[0]._replace(caption=" ")], rng)


def test_the_loss_is_that_of_the_paper(make, examples):
    """At the start everything new is the identity, so the image model itself predicts the noise."""
    method = make(dropout=0.0)
    batch = method.collate(examples, torch.Generator().manual_seed(0))
    found = method.losses(batch, torch.Generator().manual_seed(1))
    assert found["reconstruction"][1] == 1 and found["perceptual"][1] == 0.01
    assert float(found["perceptual"][0].detach()) == pytest.approx(0, abs=1e-8)
    method.network.eval()
    generator, plain = torch.Generator().manual_seed(1), load_backbone(method.backbone.source, device="cpu")
    posterior = encode(plain.vae, batch.target)
    mean, std = (rearrange(p, "c b h w -> b c h w") for p in (posterior.mean, posterior.std))
    x0 = mean + std * torch.randn(mean.shape, generator=generator)
    t = torch.randint(1000, (3,), generator=generator)
    noise = torch.randn(mean.shape, generator=generator)
    noisy = add_noise(x0, noise, plain.schedule.alpha_bar(t))
    expected = plain.unet(noisy, t, method.workspace.text(batch.captions)).sample
    loss = torch.nn.functional.mse_loss(expected, noise)
    torch.testing.assert_close(found["reconstruction"][0], loss, rtol=1e-4, atol=1e-5)


def test_the_warp_may_be_compared_with_the_target(make, examples):
    """At the start what is warped is the source, so the loss is how far the two pictures are apart."""
    method = make(dropout=0.0, perceptual_to="target")
    batch = method.collate(examples, torch.Generator().manual_seed(0))
    found = method.losses(batch, torch.Generator().manual_seed(1))["perceptual"][0]
    source, x0 = method._encoded(batch, torch.Generator().manual_seed(1))
    target = x0 / method.backbone.vae.config.scaling_factor
    expected = method._compared()(source, target).mean()
    assert expected > 1e-3
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_it_may_learn_more_at_high_noise(make, examples, monkeypatch):
    seen = []
    method = make(dropout=0.0, timestep_power=8.0)
    batch = method.collate(examples, torch.Generator().manual_seed(0))
    ahead = method.network.forward
    monkeypatch.setattr(method.network, "forward", lambda x, t, c: seen.append(t) or ahead(x, t, c))
    for seed in range(4):
        method.losses(batch, torch.Generator().manual_seed(seed))
    assert torch.cat(seen).float().mean() > 750  # 500 if all were as likely; 889 is the mean of 8 u^8


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_variant_has_its_parts_and_all_of_them_learn(make, examples, rng, variant):
    method = make(variant=variant, flow="absolute", dropout=0.0)
    network = method.network
    assert (network.embedding is not None) == (variant != "base")
    assert (network.warp is not None) == variant.startswith(("warp", "full"))
    assert network.unet.conv_in.in_channels == (12 if variant in ("warp_concat", "full") else 8)
    with torch.no_grad():
        network.unet.conv_in.weight[:, 4:].normal_(generator=rng)  # as after some steps
    found = method.losses(method.collate(examples, rng), rng)
    assert ("perceptual" in found) == (variant == "full")
    sum(value * weight for value, weight in found.values()).backward()
    parameters = dict(network.named_parameters())
    assert set(method.trainable()) == set(parameters)
    assert [name for name, p in parameters.items() if p.grad is None or not p.grad.isfinite().all()] == []
    frozen = (method.backbone.vae, method.backbone.text_encoder)
    assert all(p.grad is None for part in frozen for p in part.parameters())


def test_parts_of_the_u_net_can_stay_as_they_are(make, examples, rng):
    method = make(trainable=["attn2"])
    names = method.trainable()
    assert all("attn2" in n or n.startswith(("unet.conv_in", "embedding", "warp")) for n in names)
    assert "warp.injection.norm.weight" in names and "embedding.table.weight" in names
    (value, _), *_ = method.losses(method.collate(examples, rng), rng).values()
    value.backward()
    learnt = {name for name, p in method.network.named_parameters() if p.grad is not None}
    assert learnt == set(names)


def test_the_unmultiplied_mean_is_what_is_joined(make, examples, rng):
    method = make(dropout=0.0)
    batch = method.collate(examples, rng)
    source, _ = method._encoded(batch._replace(without_image=torch.tensor([False, True, False])), rng)
    expected = method.backbone.vae.encode(batch.source).latent_dist.mode()
    torch.testing.assert_close(source[[0, 2]], expected[[0, 2]])
    assert not source[1].any()


def test_the_published_network_is_not_replaced_where_it_is_missing(make, examples, rng, monkeypatch):
    monkeypatch.setattr(torch.hub, "_hub_dir", "/nowhere")
    method = make(perceptual="vgg19")
    with pytest.raises(MissingWeights, match=r"VGG-19 .* download=true fetches it"):
        method.losses(method.collate(examples, rng), rng)


@torch.no_grad()
def test_half_precision_is_refused(make, examples, rng):
    method = make()
    method.dtype = torch.float16
    with pytest.raises(InputError, match="too narrow to train in"):
        method.losses(method.collate(examples, rng), rng)


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"variant": "warped"}, "variant is 'warped', it must be one of base"),
        ({"motion_range": [3, 3]}, r"motion_range is \[3, 3\]"),
        ({"pairs_per_clip": 0}, "pairs_per_clip is 0"),
        ({"dropout": 0.5}, "dropout is 0.5"),
        ({"sentence": " {speed}"}, "sentence is ' {speed}', which may name {number} alone"),
        ({"timestep_power": 0.0}, "timestep_power is 0.0"),
        ({"weights": "emojiworld"}, "has no trained weights of Pix2Gif"),
        ({"weights": "nowhere.safetensors"}, "path nowhere.safetensors is not a file"),
    ],
)
def test_bad_settings(make, settings, sentence, monkeypatch, tmp_path):
    monkeypatch.setattr("giftune.methods._pix2gif_weights.files", lambda _: tmp_path)
    with pytest.raises(InputError, match=sentence):
        make(**settings)
